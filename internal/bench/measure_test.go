package bench

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPercentiles takes the nearest rank above.
func TestPercentiles(t *testing.T) {
	t.Parallel()
	var s samples
	if got := s.percentiles(); got != (Percentiles{}) {
		t.Errorf("of nothing: %+v", got)
	}
	for i := 100; i >= 1; i-- {
		s.add(time.Duration(i) * time.Millisecond)
	}
	if got, want := s.percentiles(), (Percentiles{Count: 100, P50: 50, P90: 90, P99: 99, Max: 100}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestFailures keeps no more than 20 different sentences.
func TestFailures(t *testing.T) {
	t.Parallel()
	var f failures
	for i := range 100 {
		f.add(errors.New("sentence " + strconv.Itoa(i%30)))
	}
	if len(f.all()) != 21 || f.total() != 100 || f.all()["others"] == 0 {
		t.Errorf("%d sentences, %d in all: %v", len(f.all()), f.total(), f.all())
	}
}

// TestEach does everything once, and stops at the first error.
func TestEach(t *testing.T) {
	t.Parallel()
	var sum, calls atomic.Int64
	if err := each(t.Context(), 1000, 7, func(_ context.Context, i int) error { sum.Add(int64(i)); return nil }); err != nil || sum.Load() != 999*1000/2 {
		t.Errorf("sum %d, error %v", sum.Load(), err)
	}
	broken := errors.New("broken")
	err := each(t.Context(), 1<<40, 4, func(context.Context, int) error { calls.Add(1); return broken })
	if !errors.Is(err, broken) || calls.Load() > 4 {
		t.Errorf("%d calls, error %v", calls.Load(), err)
	}
}

// TestServerPID finds the process behind a loopback address: here, this one.
func TestServerPID(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	srv := httptest.NewServer(nil)
	defer srv.Close()
	pid, ok := ServerPID(srv.URL)
	if !ok || pid != os.Getpid() {
		t.Fatalf("process %d, %t; want %d", pid, ok, os.Getpid())
	}
	m := startMeter(pid)
	if used := m.stop(); used == nil || used.ResidentAfter == 0 {
		t.Errorf("usage %+v", used)
	}
	for _, elsewhere := range []string{"http://192.0.2.1:80", "https://octopus.example.com", "http://127.0.0.1:1", strings.Repeat(":", 3)} {
		if pid, ok := ServerPID(elsewhere); ok {
			t.Errorf("%s is process %d", elsewhere, pid)
		}
	}
}

// TestRate: one that comes long after all others is not what the mean is about.
func TestRate(t *testing.T) {
	t.Parallel()
	a := &arrivals{}
	for i := range 198 {
		a.after = append(a.after, time.Duration(i+1)*10*time.Second/198)
	}
	a.after = append(a.after, time.Minute, 2*time.Minute)
	r := a.rate()
	if r.MeanPerSecond < 19 || r.MeanPerSecond > 20 || r.PeakPerSecond < 19 || r.PeakPerSecond > 20 || r.PeakOverMean > 1.1 {
		t.Errorf("%+v", r)
	}
}
