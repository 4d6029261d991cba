package bus_test

import (
	"sync"
	"testing"

	"go.uber.org/goleak"

	"octopus/server/bus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func drain(s *bus.Subscription) (heard []bus.Hint) {
	s.Close()
	for hint := range s.C() {
		heard = append(heard, hint)
	}
	return heard
}

func TestTopicsMatchExactly(t *testing.T) {
	t.Parallel()
	b := bus.NewLocal()
	defer b.Close()
	one, two, every, none := b.Subscribe(9, "run:a"), b.Subscribe(9, "run:a", "agents"), b.Subscribe(9, "*"), b.Subscribe(9, "run")
	b.Publish(bus.Hint{Topic: "run:a", ID: "a"}, bus.Hint{Topic: "agents", ID: "b", Seq: 4}, bus.Hint{Topic: "users"})
	for name, c := range map[string]struct {
		subscription *bus.Subscription
		want         int
	}{"one topic": {one, 1}, "two topics": {two, 2}, "every topic": {every, 3}, "another topic": {none, 0}} {
		if heard := drain(c.subscription); len(heard) != c.want {
			t.Errorf("%s: heard %v, want %d hints", name, heard, c.want)
		}
	}
}

func TestFullDropsNewestAndSaysSo(t *testing.T) {
	t.Parallel()
	b := bus.NewLocal()
	defer b.Close()
	s := b.Subscribe(2, "*")
	for _, id := range []string{"a", "b", "c"} {
		b.Publish(bus.Hint{Topic: "t", ID: id})
	}
	if !s.Missed() || s.Missed() {
		t.Error("a dropped hint is to be reported once")
	}
	if heard := drain(s); len(heard) != 2 || heard[0].ID != "a" || heard[1].ID != "b" {
		t.Errorf("heard %v", heard)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	b := bus.NewLocal()
	s := b.Subscribe(1, "t", "u")
	b.Close()
	b.Close()
	if _, open := <-s.C(); open {
		t.Error("a closed bus leaves a subscription open")
	}
	s.Close()
	s.Close()
	b.Publish(bus.Hint{Topic: "t"})
	if _, open := <-b.Subscribe(1, "t").C(); open {
		t.Error("a subscription to a closed bus is open")
	}
}

// TestBusy is for the race detector: everything at once, and closing never meets a send.
func TestBusy(t *testing.T) {
	t.Parallel()
	b := bus.NewLocal()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				b.Publish(bus.Hint{Topic: "t"}, bus.Hint{Topic: "u"})
			}
		})
		wg.Go(func() {
			for range 200 {
				s := b.Subscribe(1, "t", "*")
				select {
				case <-s.C():
				default:
				}
				s.Close()
			}
		})
	}
	wg.Go(func() { b.Publish(bus.Hint{Topic: "t"}); b.Close() })
	wg.Wait()
}

func BenchmarkPublish(b *testing.B) {
	local := bus.NewLocal()
	defer local.Close()
	for range 1000 {
		defer local.Subscribe(1, "executions").Close()
	}
	for b.Loop() {
		local.Publish(bus.Hint{Topic: "run:x", ID: "x"})
	}
}
