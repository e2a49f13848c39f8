// Package client is the TypeScript client as one self-contained ES module, built
// from clients/ts by `make gen`.
package client

import _ "embed"

// Module is the source of the module.
//
//go:embed topgun.js
var Module []byte
