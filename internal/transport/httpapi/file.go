package httpapi

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/topgunbuild/topgun-go/internal/transport"
)

// File is something that is built into the program and served as it is.
type File struct {
	// Path is where it is, such as "/topgun.js"; nothing below or beside it is
	// served. "/" takes the place of the sentence that stands there otherwise.
	Path string

	// Type is its media type.
	Type string

	// Body is not changed after it was handed over.
	Body []byte

	// Policy is the Content-Security-Policy of a page and of a worker. Empty
	// means that the file may do nothing by itself.
	Policy string

	// Shared lets pages of every origin that may connect read the file, so that
	// they can import it.
	Shared bool
}

// noPolicy is that of files that are no page.
const noPolicy = "default-src 'none'; frame-ancestors 'none'; sandbox"

// serveFile answers with one file, compressed for those who can read that. Its
// name says nothing about its content, so that browsers ask each time whether it
// is still the one they have.
func serveFile(f File, origins transport.Origins) http.Handler {
	sum := sha256.Sum256(f.Body)
	tag := base64.RawURLEncoding.EncodeToString(sum[:18])
	packed := compress(f.Body)
	policy := f.Policy
	if policy == "" {
		policy = noPolicy
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", f.Type)
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Add("Vary", "Accept-Encoding")
		if f.Shared {
			h.Add("Vary", "Origin")
			if o := r.Header.Get("Origin"); o != "" && origins.Allow(o, r.Host) {
				h.Set("Access-Control-Allow-Origin", o)
			}
		} else {
			h.Set("Cross-Origin-Resource-Policy", "same-origin")
		}
		body := f.Body
		if packed != nil && acceptsGzip(r.Header["Accept-Encoding"]) {
			h.Set("Content-Encoding", "gzip")
			h.Set("Etag", `"`+tag+`-gzip"`)
			body = packed
		} else {
			h.Set("Etag", `"`+tag+`"`)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

// compress returns body compressed, nil when that is no gain.
func compress(body []byte) []byte {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil { // a level that is none
		return nil
	}
	if _, err := z.Write(body); err != nil || z.Close() != nil || packed.Len() >= len(body) {
		return nil
	}
	return packed.Bytes()
}

// acceptsGzip reports whether gzip is in one of the lists, and not excluded.
func acceptsGzip(lists []string) bool {
	for _, list := range lists {
		for one := range strings.SplitSeq(list, ",") {
			name, quality, _ := strings.Cut(one, ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(quality), "q="), 64)
				return quality == "" || err == nil && q > 0
			}
		}
	}
	return false
}
