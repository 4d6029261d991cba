package bus_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"octopus/server/bus"
)

// TestChaosDoesItAll loses, doubles, delays and reorders, and stops when it is closed.
func TestChaosDoesItAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewChaos(7)
		s := b.Subscribe(1000, "t")
		for n := range 100 {
			b.Publish(bus.Hint{Topic: "t", ID: strconv.Itoa(n)})
		}
		synctest.Wait()
		if len(s.C()) > 0 {
			t.Error("a hint came at once")
		}
		time.Sleep(time.Second)
		b.Publish(bus.Hint{Topic: "t", ID: "late"}, bus.Hint{Topic: "t", ID: "late"}, bus.Hint{Topic: "t", ID: "late"})
		b.Close()
		b.Close()
		b.Publish(bus.Hint{Topic: "t", ID: "closed"})
		heard, reordered, last := make(map[string]int), false, -1
		for h := range s.C() {
			heard[h.ID]++
			n, err := strconv.Atoi(h.ID)
			if err != nil {
				t.Errorf("heard %q of a bus that was closed", h.ID)
			}
			reordered = reordered || n < last
			last = n
		}
		twice := 0
		for _, n := range heard {
			if n == 2 {
				twice++
			}
		}
		if lost := 100 - len(heard); lost == 0 || twice == 0 || !reordered {
			t.Errorf("lost %d, doubled %d, reordered %v", lost, twice, reordered)
		}
	})
}
