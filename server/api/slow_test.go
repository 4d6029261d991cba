package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestAClientThatStopsReading is dropped: the request that serves it ends.
func TestAClientThatStopsReading(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as one write may take")
	}
	t.Parallel()
	ended := make(chan error, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer calm(w)
		out := patient(w)
		for {
			if _, err := out.Write(make([]byte, 64<<10)); err != nil {
				ended <- err
				return
			}
		}
	}))
	defer s.Close()
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	select {
	case <-ended:
	case <-time.After(writePatience + 2*time.Minute): // it would be served for ever
		t.Error("it is still served")
	}
}
