#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What `make run` shows: a gateway and a simulated APNs on loopback, and one knock on its way to the
# phone's provider.  BUILD=build is where the programs are; with ONCE=1 it ends after that knock, with 0
# only if the simulated APNs says that the push arrived.
#
# It speaks HTTP through bash's /dev/tcp: that needs no package, and no start of a program comes between
# the clock and the knock.
set -u
export LC_ALL=C # a point in $EPOCHREALTIME
cd "${0%/*}/.." || exit 1

build=${BUILD:-build}
once=${ONCE:-}
folder=build/run # conf/dev.toml says so too
gateway=127.0.0.1:8080
admin=127.0.0.1:8081
apns=127.0.0.1:8443
control=127.0.0.1:8444
registration=$(printf '%064d' 0 | tr 0 a)
pids=()

give_up() {
    printf 'run: error: %s\n' "$*" >&2
    exit 1
}

# Ends what this script started, whichever way it ends; the gateway before the APNs it talks to.
clean_up() {
    local i
    trap '' INT TERM HUP
    exec 3>&-
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        { kill "${pids[i]}"; wait "${pids[i]}"; } 2>/dev/null
    done
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

connect() { { exec 3<>"/dev/tcp/${1%:*}/${1#*:}"; } 2>/dev/null; }

# http ADDRESS METHOD PATH [BODY [FIELD]]: leaves $status and $answer, and in $sent and $answered the
# microseconds since 1970 just before the request is handed to the kernel and when its answer begins.
http() {
    status='' answer=''
    local body=${4:-} field=${5:-} line=''
    connect "$1" || return 1
    local request="$2 $3 HTTP/1.1"$'\r\n'"Host: $1"$'\r\n'"Connection: close"$'\r\n'
    [ -z "$field" ] || request+="$field"$'\r\n'
    [ -z "$body" ] || request+="Content-Type: application/json"$'\r\n'"Content-Length: ${#body}"$'\r\n'
    sent=${EPOCHREALTIME/./}
    printf '%s\r\n%s' "$request" "$body" >&3
    IFS= read -r -t 20 line <&3
    answered=${EPOCHREALTIME/./}
    status=${line:9:3}
    while IFS= read -r -t 20 line <&3 && [ "$line" != $'\r' ]; do :; done
    IFS= read -r -t 20 -d '' answer <&3
    exec 3>&-
    [ -n "$status" ]
}

# value NAME: of a JSON object in $answer; the last that has the name.
value() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" <<<"$answer"; }

# call WHAT PATH BODY [FIELD]: shows a call of the API.
call() {
    printf '\n%s\n  POST http://%s/api/v1/%s  %s\n' "$1" "$gateway" "$2" "$3"
    http "$gateway" POST "/api/v1/$2" "$3" "${4:-}" || give_up "the gateway did not answer; see $folder/knuckle.log"
    printf '  %s  %s\n' "$status" "$answer"
    [[ $status == 2?? ]] || give_up "this should have been a 2xx; see $folder/knuckle.log"
}

check_port() {
    ! connect "$1" || give_up "$1 is occupied, and the demo needs it for $2; who has it: ss -ltnp 'sport = :${1#*:}'"
}

# wait_until WHAT LOG PID COMMAND...: for ten seconds.
wait_until() {
    local what=$1 log=$2 pid=$3 tries=0
    shift 3
    until "$@"; do
        kill -0 "$pid" 2>/dev/null || { cat "$log" >&2; give_up "$what ended; its last words are above"; }
        [ $((tries += 1)) -le 100 ] || { tail -n 5 "$log" >&2; give_up "$what was not ready within 10 s; see $log"; }
        sleep 0.1
    done
}
apns_is_ready() { grep -q '^READY' "$folder/sim_apns.log"; }
gateway_is_ready() { http "$admin" GET /readyz && [ "$status" = 200 ]; }

for program in "$build/knuckle" "$build/release/sim_apns"; do
    [ -x "$program" ] || give_up "$program is missing; make run builds it"
done
mkdir -p "$folder" && [ -w "$folder" ] || give_up "$folder is not writable for $(id -un); remove it or make it yours"
check_port "$gateway" 'the gateway'
check_port "$admin" "the operator's page of the gateway"
check_port "$apns" 'the simulated APNs'
check_port "$control" 'the control of the simulated APNs'

echo "Knuckle demo. Everything is on 127.0.0.1, every file in $folder."
"$build/release/sim_apns" --dir "$folder" --port "${apns#*:}" --control "${control#*:}" --print >"$folder/sim_apns.log" 2>&1 &
sim_pid=$!
pids+=($sim_pid)
wait_until 'the simulated APNs' "$folder/sim_apns.log" $sim_pid apns_is_ready
echo "  simulated APNs  https://$apns  (TLS and HTTP/2; refuses what Apple would refuse)"

"$build/knuckle" serve --config conf/dev.toml >"$folder/knuckle.log" 2>&1 &
gateway_pid=$!
pids+=($gateway_pid)
wait_until 'the gateway' "$folder/knuckle.log" $gateway_pid gateway_is_ready
echo "  gateway         http://$gateway  (conf/dev.toml; http://$admin/readyz, http://$admin/metrics)"

# The accounts of earlier runs are still in the database, so each run makes one of its own.
call '1. The app makes an account.' accounts/ \
    "{\"username\":\"demo-$(date +%s)-$$\",\"password\":\"only for this demo\"}"
authorization="Authorization: Token $(value token)"
call '2. It registers the phone.' device/apns/ "{\"registration_id\":\"$registration\"}" "$authorization"
device=$(value id)
call '3. It makes a token, and gives it to a friend.' tokens/ "{\"apns_device\":\"$device\"}" "$authorization"
token=$(value token)
knock="{\"token\":\"$token\",\"data\":\"hello\"}"

http "$control" GET /ledger || give_up "the simulated APNs is gone; see $folder/sim_apns.log"
before=$(value accepted)
call '4. The friend knocks.' messages/ "$knock"
[ "$status" = 202 ] || give_up "a knock is answered 202, not $status"
knock_sent=$sent knock_answered=$answered

printf '\n5. The push arrives.\n'
http "$control" GET /ledger
after=$(value accepted)
http "$control" GET /arrivals
answer="{\"monotonic_ns\"${answer##*{\"monotonic_ns\"}"
[[ $answer == *"/3/device/$registration"*"$token"* ]] || give_up 'the simulated APNs has not seen it'
[ "$after" -eq $((before + 1)) ] || give_up "the simulated APNs accepted $((after - before)) pushes, not one"
payload=${answer##*\"payload\":\"}
payload=${payload%\"\}]}
printf '  accepted by the simulated APNs: topic %s, type %s, priority %s\n  %s\n' \
    "$(value apns-topic)" "$(value apns-push-type)" "$(value apns-priority)" "${payload//\\\"/\"}"
awk -v sent="$knock_sent" -v arrived="$(value unix_us)" -v answered="$knock_answered" 'BEGIN {
    printf "  %.2f ms from the sending of the knock to the arrival of the push, %.2f ms to the 202.\n",
        (arrived - sent) / 1000, (answered - sent) / 1000
}'

printf "\nKnock again:\n  curl -i -H 'Content-Type: application/json' -d '%s' http://%s/api/v1/messages/\n" "$knock" "$gateway"
[ "$once" != 1 ] || exit 0

printf '\nServing until Ctrl-C; the log is %s. Pushes, as they arrive:\n' "$folder/knuckle.log"
tail -n 0 -f "$folder/sim_apns.log" &
pids+=($!)
wait -n $sim_pid $gateway_pid
give_up "a program ended by itself; see $folder/knuckle.log and $folder/sim_apns.log"
