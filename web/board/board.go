// Package board is the board: a page to try TopGun with. It is built from
// clients/ts/packages/board by `make gen`.
package board

import (
	"bytes"
	_ "embed" // what the page consists of
)

// What the page consists of. Names in it are those that internal/app serves it
// under.
var (
	// Page is the document.
	//
	//go:embed index.html
	Page []byte

	// Script is the module that the document loads. It imports /topgun.js.
	//
	//go:embed board.js
	Script []byte

	// Style is the style sheet.
	//
	//go:embed board.css
	Style []byte

	// Icon is the icon, as SVG.
	//
	//go:embed board.svg
	Icon []byte

	// Manifest lets a phone keep the board on its home screen.
	//
	//go:embed board.webmanifest
	Manifest []byte

	//go:embed offline.js
	worker []byte
)

// Worker is the service worker that keeps the page itself, so that it opens
// without a server. Version is different when anything is that it keeps.
func Worker(version string) []byte {
	return bytes.ReplaceAll(worker, []byte("VERSION"), []byte(version))
}
