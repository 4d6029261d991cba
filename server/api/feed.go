package api

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"octopus/internal/seeded"
	"octopus/server/bus"
)

// feedSize is how many hints are remembered for streams that come back. At 2,000 executions a second, each with
// some four hints for each of three topics, it is a second; at a hundred, half a minute.
const feedSize = 1 << 15

// feed numbers the hints of the bus, so that a stream can say where it was and go on from there. It holds no
// queue per stream: each has its own position in the one ring, and whoever falls out of it reads everything
// again.
type feed struct {
	epoch string // static, random per process: numbers of another one mean nothing here

	mu      sync.Mutex
	next    int64                                 // number of the next hint; guarded by mu
	ring    []bus.Hint                            // guarded by mu; the hint n is at n % feedSize
	gapAt   int64                                 // hints before this number may be missing; guarded by mu
	streams map[string]map[chan struct{}]struct{} // by topic, woken by it; guarded by mu
}

func newFeed() *feed {
	return &feed{
		epoch: strconv.FormatInt(time.Now().UnixNano(), 36), next: 1,
		ring: make([]bus.Hint, 0, 64), streams: map[string]map[chan struct{}]struct{}{},
	}
}

// run takes hints from the bus until ctx ends.
func (f *feed) run(ctx context.Context, b bus.Bus) error {
	sub := b.Subscribe(4096, "*")
	defer sub.Close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case hint, open := <-sub.C():
			if !open {
				return nil
			}
			f.add(hint, sub.Missed())
		}
	}
}

// add numbers a hint and wakes the streams of its topic; missed: some before it were lost.
func (f *feed) add(hint bus.Hint, missed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if missed {
		f.gapAt = f.next
		for _, wakers := range f.streams {
			wake(wakers)
		}
	}
	if len(f.ring) < feedSize {
		f.ring = append(f.ring, hint)
	} else {
		f.ring[(f.next-1)%feedSize] = hint
	}
	f.next++
	wake(f.streams[hint.Topic])
}

func wake(wakers map[chan struct{}]struct{}) {
	for w := range wakers {
		select {
		case w <- struct{}{}:
		default: // it is awake already
		}
	}
}

// subscribe returns a channel that is woken by the topics, and the present position.
func (f *feed) subscribe(topics []string) (waker chan struct{}, at int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	waker = make(chan struct{}, 1)
	for _, topic := range topics {
		if f.streams[topic] == nil {
			f.streams[topic] = map[chan struct{}]struct{}{}
		}
		f.streams[topic][waker] = struct{}{}
	}
	return waker, f.next
}

func (f *feed) unsubscribe(topics []string, waker chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, topic := range topics {
		delete(f.streams[topic], waker)
		if len(f.streams[topic]) == 0 {
			delete(f.streams, topic)
		}
	}
}

// since returns the hints of the topics from a position on, each thing once, and the next position. gap: some of
// them are gone.
func (f *feed) since(at int64, topics map[string]bool) (hints []bus.Hint, next int64, gap bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	oldest := f.next - int64(len(f.ring))
	if at < max(oldest, f.gapAt) {
		if !seeded.Is(seeded.ResumeWithoutGap) {
			return nil, f.next, true
		}
		at = oldest
	}
	seen := map[bus.Hint]bool{}
	for n := at; n < f.next; n++ {
		hint := f.ring[(n-1)%feedSize]
		hint.Seq = 0
		if topics[hint.Topic] && !seen[hint] {
			seen[hint] = true
			hints = append(hints, hint)
		}
	}
	return hints, f.next, false
}

// id names a position for Last-Event-ID.
func (f *feed) id(at int64) string { return f.epoch + "." + strconv.FormatInt(at, 10) }

// position reads an id. Another epoch, a number that was never given, or nonsense is not ok.
func (f *feed) position(id string) (at int64, ok bool) {
	epoch, number, found := strings.Cut(id, ".")
	at, err := strconv.ParseInt(number, 10, 64)
	f.mu.Lock()
	defer f.mu.Unlock()
	return at, found && err == nil && epoch == f.epoch && at >= 1 && at <= f.next
}
