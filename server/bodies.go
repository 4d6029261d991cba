package server

import (
	"io"
	"net/http"
	"time"
)

// Bounds of how slowly a body may come in. Without them a handful of peers that send a byte now and then would hold
// connections and what handlers have in hand for as long as they like.
const (
	bodyPatience = 30 * time.Second // for a body of any size
	slowestBody  = 8 << 10          // bytes a second, for what goes beyond that time
)

// paceBodies ends requests whose body comes in too slowly. Requests without a body, and what handlers do after it, are
// left alone.
func paceBodies(patience time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Body != nil && r.Body != http.NoBody {
				b := &pacedBody{ReadCloser: r.Body, control: http.NewResponseController(w), limit: time.Now().Add(patience)}
				if b.control.SetReadDeadline(b.limit) == nil {
					r = r.WithContext(r.Context()) // a copy: the server closes the body that it made
					r.Body = b
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// pacedBody moves the deadline of its connection as it is read.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	limit   time.Time
}

// Read reads, and gives the time that so many bytes may take. At the end the deadline goes: what follows, such as a
// stream of events, has its own rules.
func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.limit = b.limit.Add(time.Duration(n) * time.Second / slowestBody)
	if err == io.EOF {
		b.limit = time.Time{}
	}
	if err == nil || err == io.EOF {
		_ = b.control.SetReadDeadline(b.limit) // it could be set before
	}
	return n, err
}
