package app

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/transport/httpapi"
	"github.com/topgunbuild/topgun-go/web/board"
	"github.com/topgunbuild/topgun-go/web/client"
)

const javaScript = "text/javascript; charset=utf-8"

// boardPolicy lets the board load what comes from this server and connect to
// it, and nothing else: no inline script, no other host, no frame around it.
const boardPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// workerPolicy is that of the script which keeps the board for times without a
// server: it only fetches.
const workerPolicy = "default-src 'none'; connect-src 'self'"

// files are what is built into the program and served to browsers.
func files(withBoard bool) []httpapi.File {
	all := []httpapi.File{{Path: "/topgun.js", Type: javaScript, Body: client.Module, Shared: true}}
	if !withBoard {
		return all
	}
	all = append(all,
		httpapi.File{Path: "/", Type: "text/html; charset=utf-8", Body: board.Page, Policy: boardPolicy},
		httpapi.File{Path: "/board.js", Type: javaScript, Body: board.Script},
		httpapi.File{Path: "/board.css", Type: "text/css; charset=utf-8", Body: board.Style},
		httpapi.File{Path: "/board.svg", Type: "image/svg+xml", Body: board.Icon},
		httpapi.File{Path: "/board.webmanifest", Type: "application/manifest+json", Body: board.Manifest},
	)
	sum := sha256.New()
	for _, f := range all {
		_, _ = sum.Write(f.Body) // a hash takes everything
	}
	version := hex.EncodeToString(sum.Sum(nil)[:8])
	return append(all, httpapi.File{Path: "/offline.js", Type: javaScript, Body: board.Worker(version), Policy: workerPolicy})
}

// welcome tells a person who has started a server with the board what is where.
func (s *server) welcome() {
	if !s.cfg.Listen.Board {
		return
	}
	host := s.cfg.Listen.Host
	if host == "" {
		host = "localhost"
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	at := fmt.Sprintf("%s:%d", host, s.listeners.Port)
	data := s.cfg.Storage.DataDir
	if abs, err := filepath.Abs(data); err == nil { // else as it was given
		data = abs
	}
	if s.cfg.Storage.Backend == config.Null {
		data = "nothing is kept when the server stops"
	}
	// When standard error is gone, there is nobody to tell.
	_, _ = fmt.Fprintf(s.stderr, "Board    http://%s/  open it in two windows, then switch the network off in one\n"+
		"Clients  ws://%s/ws, TypeScript from http://%s/topgun.js; http://%s/health says how the server is\n"+
		"Data     %s\n", at, at, at, at, data)
}
