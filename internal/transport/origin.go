package transport

import (
	"fmt"
	"net/url"
	"strings"
)

// Origins decides from which pages a browser may connect. Programs that are no
// browser send no Origin header and are always allowed: the check protects the
// visitor of a page, not the server.
type Origins struct {
	any    bool
	listed map[string]struct{}
}

// NewOrigins allows the listed origins ("https://app.example.com",
// "http://localhost:5173", "null" for files and sandboxed frames; "*" for
// every page) besides pages that were served by the host they connect to, on
// whatever port. It returns an error that names every entry that is no origin.
func NewOrigins(listed []string) (Origins, error) {
	o := Origins{listed: make(map[string]struct{}, len(listed))}
	var bad []string
	for _, l := range listed {
		switch c, ok := canonicalOrigin(l); {
		case l == "*":
			o.any = true
		case l == "null":
			o.listed[l] = struct{}{}
		case ok:
			o.listed[c] = struct{}{}
		default:
			bad = append(bad, l)
		}
	}
	if len(bad) > 0 {
		return Origins{}, fmt.Errorf("not an origin of the form scheme://host[:port]: %q", bad)
	}
	return o, nil
}

// Allow reports whether a page of the given origin may connect to host. Both
// are header values; an empty origin is no browser.
func (o Origins) Allow(origin, host string) bool {
	if origin == "" || o.any {
		return true
	}
	if _, ok := o.listed[origin]; ok {
		return true
	}
	c, ok := canonicalOrigin(origin)
	if !ok {
		return false
	}
	if _, ok := o.listed[c]; ok {
		return true
	}
	_, from, _ := strings.Cut(c, "://")
	page, self := hostname(from), hostname(host)
	return page == self || IsLoopback(page) && IsLoopback(self)
}

// canonicalOrigin is the origin in lower case and without the port that its
// scheme implies.
func canonicalOrigin(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.User != nil ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host, true
}
