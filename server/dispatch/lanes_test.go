package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLanesKeepOrder(t *testing.T) {
	t.Parallel()
	l := newLanes(1000)
	var mu sync.Mutex
	got := make(map[string][]int)
	for i := range 300 {
		key := fmt.Sprint(i % 7)
		if err := l.do(t.Context(), key, func() {
			mu.Lock()
			defer mu.Unlock()
			got[key] = append(got[key], i)
		}); err != nil {
			t.Fatal(err)
		}
	}
	l.close()
	n := 0
	for key, list := range got {
		if !slices.IsSorted(list) {
			t.Errorf("%s: %v", key, list)
		}
		n += len(list)
	}
	if n != 300 || len(l.queues) != 0 {
		t.Errorf("%d pieces ran, %d lanes are left", n, len(l.queues))
	}
	if err := l.do(t.Context(), "x", func() {}); !errors.Is(err, errStopped) {
		t.Errorf("after the end: %v", err)
	}
}

func TestLanesRunSideBySideAndAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLanes(3)
		open := make(chan struct{})
		for _, key := range []string{"a", "b", "b"} {
			if err := l.do(t.Context(), key, func() { <-open }); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.do(ctx, "c", func() {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a fourth piece: %v", err)
		}
		close(open)
		synctest.Wait()
		if err := l.do(t.Context(), "c", func() {}); err != nil {
			t.Error(err)
		}
		l.close()
	})
}

func TestCredits(t *testing.T) {
	t.Parallel()
	s := &Session{ready: true, enabled: true, held: make(map[string]*holding)}
	s.credit(3, 0)
	for want := 3; want >= 0; want-- {
		if got := s.credits(noon); got != want {
			t.Fatalf("%d, not %d", got, want)
		}
		if want > 0 {
			s.offers++
		}
	}
	s.credit(2, 2) // it had seen two of the three offers, and has room for two more
	if got := s.credits(noon); got != 1 {
		t.Errorf("%d", got)
	}
	s.credit(9, 1) // an older message
	s.credit(9, 7) // nonsense
	if got := s.credits(noon); got != 1 {
		t.Errorf("%d", got)
	}
	s.reserved = 5
	if got := s.credits(noon); got != 0 {
		t.Errorf("%d", got)
	}
	s.reserved = 0
	for name, close := range map[string]func(){
		"drained": func() { s.drained = true }, "disabled": func() { s.enabled = false }, "not reconciled": func() { s.ready = false },
		"stopping": func() { s.draining = true }, "gone": func() { s.closed = true }, "paused": func() { s.paused = noon.Add(time.Second) },
	} {
		before := *s
		if close(); s.credits(noon) != 0 {
			t.Errorf("%s agents have credits", name)
		}
		*s = before
	}
}
