package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/topgunbuild/topgun-go/internal/transport"
)

// ReadBody reads the body of a request that came through an API. A non-nil
// problem is the answer to give: 413 for a body over the limit, 408 for one
// that did not arrive in time, 400 for one that broke off.
func ReadBody(r *http.Request) ([]byte, *transport.Problem) {
	body, err := io.ReadAll(r.Body)
	var limit *http.MaxBytesError
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &limit):
		p := tooLarge(limit.Limit)
		return nil, &p
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &transport.Problem{Code: http.StatusRequestTimeout, Message: "the request did not arrive in time"}
	default:
		return nil, &transport.Problem{Code: http.StatusBadRequest, Message: "the request broke off"}
	}
}

// tooLarge refuses a body.
func tooLarge(limit int64) transport.Problem {
	return transport.Problem{
		Code:    http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("the request is larger than %d bytes; send it in parts", limit),
	}
}
