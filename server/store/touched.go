package store

import (
	"context"
	"sync"
	"time"
)

// touchEvery is how often notes that tokens were used are written.
const touchEvery = 30 * time.Second

// touched collects which tokens were used, so that a call with a token writes nothing by itself. It is bounded
// by the number of tokens.
type touched struct {
	store *Store
	quit  chan struct{}
	ended chan struct{}
	once  sync.Once

	mu   sync.Mutex
	used map[string]time.Time // guarded by mu
}

func startTouched(s *Store) *touched {
	t := &touched{store: s, quit: make(chan struct{}), ended: make(chan struct{}), used: make(map[string]time.Time)}
	go t.loop()
	return t
}

// TouchToken notes that a token was used. It returns at once; notes are written every 30 s and by Close.
func (s *Store) TouchToken(id string) {
	s.touched.mu.Lock()
	defer s.touched.mu.Unlock()
	s.touched.used[id] = s.Now()
}

func (t *touched) loop() {
	defer close(t.ended)
	tick := time.NewTicker(touchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.flush()
		case <-t.quit:
			t.flush()
			return
		}
	}
}

// flush writes the notes. They are lost when the database refuses them, which costs a time on a page.
func (t *touched) flush() {
	t.mu.Lock()
	used := t.used
	t.used = make(map[string]time.Time)
	t.mu.Unlock()
	if len(used) == 0 {
		return
	}
	err := t.store.write(context.Background(), func(x *tx) error {
		for id, at := range used {
			if _, err := x.exec("UPDATE tokens SET last_used = ? WHERE id = ?", micros(at), id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.store.log.Warn("last use of tokens was not saved", "error", err)
	}
}

func (t *touched) stop() {
	t.once.Do(func() { close(t.quit) })
	<-t.ended
}
