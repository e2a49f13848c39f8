package transport

import (
	"net/http"
	"strings"
)

// IsUpgrade reports whether r asks for its connection to become a WebSocket.
func IsUpgrade(r *http.Request) bool {
	return r.ProtoAtLeast(1, 1) && hasToken(r.Header["Connection"], "upgrade") && hasToken(r.Header["Upgrade"], "websocket")
}

// hasToken reports whether one of the comma-separated lists has the token, in
// whatever case.
func hasToken(lists []string, token string) bool {
	for _, list := range lists {
		for one := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(one), token) {
				return true
			}
		}
	}
	return false
}
