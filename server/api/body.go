package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"octopus/internal/octopus"
)

// Times that a body may take to arrive.
const (
	bodyTimeout    = 30 * time.Second
	uploadTimeout  = 10 * time.Minute
	refusedTimeout = 5 * time.Second // for what is on its way when a body is refused
)

type bodyKey struct{}

// readBody is the middleware that reads a body within its limit and its time. huma could do it, but leaves its
// deadline on the connection, which ends the request's context under a handler that waits.
func (a *API) readBody(ctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(ctx)
	if r.Body == nil || r.Body == http.NoBody {
		next(ctx)
		return
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		a.refuseBody(ctx, newProblem(http.StatusUnsupportedMediaType, octopus.CodeMalformed, "The body must not be compressed: send it as it is, without Content-Encoding."))
		return
	}
	limit, timeout := ctx.Operation().MaxBodyBytes, bodyTimeout
	if limit > maxBody {
		timeout = uploadTimeout
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(timeout)) // not supported: a test's recorder
	var data []byte
	var err error
	if limit == maxUpload {
		data, err = a.catalog.ReadModule(r.Body, r.ContentLength)
	} else {
		data, err = io.ReadAll(http.MaxBytesReader(w, r.Body, limit-1))
	}
	_ = control.SetReadDeadline(time.Time{})
	if err != nil {
		a.refuseBody(ctx, bodyError(err, limit))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	next(huma.WithValue(ctx, bodyKey{}, data))
}

// refuseBody answers at once, while the body may still be on its way, and then reads on for a while: a connection that is
// closed before it was read is reset, and the answer may be lost with it.
func (a *API) refuseBody(ctx huma.Context, err error) {
	r, w := humachi.Unwrap(ctx)
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // or the answer waits for more of the body
	_ = control.SetReadDeadline(time.Now().Add(refusedTimeout))
	a.refuseHuma(ctx, err)
	_ = control.Flush()
	_, _ = io.Copy(io.Discard, r.Body)
}

func bodyError(err error, limit int64) error {
	var known *octopus.Error
	var tooBig *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &tooBig):
		return octopus.Errorf(octopus.CodeTooLarge, "The body is over the limit of %d KiB.", limit>>10)
	case errors.As(err, &network) && network.Timeout():
		return newProblem(http.StatusRequestTimeout, octopus.CodeMalformed, "The body took too long to arrive. Try again.")
	}
	return octopus.Errorf(octopus.CodeMalformed, "The body ended before its announced length. Nothing of it was kept. Try again.")
}

// bodyOf returns the bytes of the request's body.
func bodyOf(ctx context.Context) []byte {
	data, _ := ctx.Value(bodyKey{}).([]byte)
	return data
}
