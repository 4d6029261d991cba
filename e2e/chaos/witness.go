//go:build linux

package chaos

import (
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"octopus/e2e/history"
)

// witness is a server outside Octopus that plugins tell of their start and their end. It answers a start only after
// the pause that the path names, so that executions take as long as a test wants them to.
type witness struct {
	server *http.Server
	url    string

	mu    sync.Mutex
	marks []history.Mark // guarded by mu
}

func newWitness(host string) (*witness, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	w := &witness{url: "http://" + ln.Addr().String()}
	w.server = &http.Server{Handler: w.routes(), ReadHeaderTimeout: 10 * time.Second}
	go w.server.Serve(ln) // ends with close
	return w, nil
}

// address is the URL to give to a plugin that shall take so long.
func (w *witness) address(pause time.Duration) string {
	return w.url + "/" + strconv.FormatInt(pause.Milliseconds(), 10)
}

func (w *witness) routes() http.Handler {
	mux := http.NewServeMux()
	mark := func(r *http.Request, start bool) {
		attempt, _ := strconv.Atoi(r.FormValue("a"))
		w.mu.Lock()
		defer w.mu.Unlock()
		w.marks = append(w.marks, history.Mark{Execution: r.FormValue("x"), Attempt: attempt, Start: start, At: time.Now()})
	}
	mux.HandleFunc("GET /{pause}/start", func(_ http.ResponseWriter, r *http.Request) {
		mark(r, true)
		ms, _ := strconv.Atoi(r.PathValue("pause"))
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /{pause}/end", func(_ http.ResponseWriter, r *http.Request) { mark(r, false) })
	return mux
}

func (w *witness) seen() []history.Mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]history.Mark(nil), w.marks...)
}

func (w *witness) close() { w.server.Close() }
