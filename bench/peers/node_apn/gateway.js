// SPDX-License-Identifier: GPL-3.0-or-later
// A gateway as small as can be around @parse/node-apn: POST {"token":"<device>"} becomes one push,
// and is answered 202 when the provider has answered.
//
//     node gateway.js LISTEN_PORT APNS_PORT CA KEY TOPIC CLIENTS
'use strict';
const http = require('http');
const apn = require('@parse/node-apn');

const [listen, apns, ca, key, topic, clients] = process.argv.slice(2);
const options = {
  token: { key, keyId: 'KEY1234567', teamId: 'TEAM123456' },
  production: true,
  address: 'localhost',
  port: Number(apns),
  ca: [ca],
};
const provider = Number(clients) > 1
  ? new apn.MultiProvider({ ...options, clientCount: Number(clients) })
  : new apn.Provider(options);

http.createServer((request, response) => {
  let body = '';
  request.on('data', (piece) => { body += piece; });
  request.on('end', async () => {
    let status = 400;
    try {
      const note = new apn.Notification({ alert: 'New message', sound: 'default', mutableContent: 1, topic, pushType: 'alert' });
      const result = await provider.send(note, JSON.parse(body).token);
      status = result.sent.length === 1 ? 202 : 502;
    } catch (error) { /* a bad request */ }
    response.writeHead(status, { 'Content-Length': 0 });
    response.end();
  });
}).listen(Number(listen), '127.0.0.1');
