// SPDX-License-Identifier: Apache-2.0
// Loaded before a server that asks for every address of the machine whatever it is told: it gets the loopback's.
const { Server } = require('net');
const ask = Server.prototype.listen;
Server.prototype.listen = function (where, ...rest) {
    const port = typeof where === 'number' ? { port: where } : where;
    return ask.call(this, port && port.port !== undefined ? Object.assign({}, port, { host: '127.0.0.1' }) : where, ...rest);
};
