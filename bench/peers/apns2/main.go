// SPDX-License-Identifier: GPL-3.0-or-later

// A gateway as small as can be around sideshow/apns2: POST {"token":"<device>"} becomes one push,
// and is answered 202 when the provider has answered.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net/http"

	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/token"
)

func main() {
	listen := flag.String("listen", "", "address")
	apns := flag.String("apns", "", "base URL of the provider")
	keyFile := flag.String("key", "", "provider token key, PEM")
	topic := flag.String("topic", "", "")
	flag.Parse()

	key, err := token.AuthKeyFromFile(*keyFile)
	if err != nil {
		log.Fatal(err)
	}
	client := apns2.NewTokenClient(&token.Token{AuthKey: key, KeyID: "KEY1234567", TeamID: "TEAM123456"})
	client.Host = *apns

	payload := []byte(`{"aps":{"alert":"New message","mutable-content":1,"sound":"default"}}`)
	http.HandleFunc("/push", func(w http.ResponseWriter, r *http.Request) {
		var knock struct {
			Token string `json:"token"`
		}
		if err := json.NewDecoder(r.Body).Decode(&knock); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := client.PushWithContext(r.Context(), &apns2.Notification{
			DeviceToken: knock.Token, Topic: *topic, PushType: apns2.PushTypeAlert, Payload: payload,
		})
		if err != nil || !answer.Sent() {
			http.Error(w, "not pushed", http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
