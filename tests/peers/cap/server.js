// The stock server listens on every interface; a server with mocked users belongs on loopback only.
const cds = require("@sap/cds");

module.exports = (options) =>
  cds.server({ ...options, port: { host: "127.0.0.1", port: Number(options.port) } });
