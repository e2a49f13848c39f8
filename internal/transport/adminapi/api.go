package adminapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

// Prefix begins the path of everything that is served here.
const Prefix = "/api/admin/"

// Role is what a token has to carry.
const Role = "admin"

// Authority knows who holds a token.
type Authority interface {
	// Required reports whether a token is needed at all.
	Required() bool

	// Authenticate checks a token. The error's text is not for the client.
	Authenticate(token string) (policy.Principal, error)
}

// API is the handler of all administrative endpoints.
type API struct {
	mux    *http.ServeMux
	who    Authority
	origin *http.CrossOriginProtection
}

// New makes an API without endpoints.
func New(who Authority) *API {
	return &API{mux: http.NewServeMux(), who: who, origin: http.NewCrossOriginProtection()}
}

// Handle mounts an endpoint under a pattern of [http.ServeMux] that begins with
// Prefix. It panics when the pattern is malformed or taken, and is called before
// the API serves.
func (a *API) Handle(pattern string, h http.Handler) { a.mux.Handle(pattern, h) }

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := a.origin.Check(r); err != nil {
		transport.Problem{Code: http.StatusForbidden, Message: "a page of another origin may not administer this server"}.Write(w)
		return
	}
	if p := a.admit(r); p != nil {
		if p.Code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		p.Write(w)
		return
	}
	h, pattern := a.mux.Handler(r)
	if pattern == "" {
		transport.Unserved(h, w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// admit returns the refusal of a request, or nil.
func (a *API) admit(r *http.Request) *transport.Problem {
	if !a.who.Required() {
		return nil
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return &transport.Problem{
			Code:    http.StatusUnauthorized,
			Message: "an administrator's token is needed: send it as Authorization: Bearer TOKEN",
		}
	}
	who, err := a.who.Authenticate(strings.TrimSpace(token))
	if err != nil {
		return &transport.Problem{Code: http.StatusUnauthorized, Message: "Authentication failed"}
	}
	if !slices.Contains(who.Roles, Role) {
		return &transport.Problem{
			Code:    http.StatusForbidden,
			Message: fmt.Sprintf("the token of %.100q does not carry the role %s", who.ID, Role),
		}
	}
	return nil
}
