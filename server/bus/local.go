package bus

import "sync"

// all is the topic that matches every hint.
const all = "*"

// Local is the bus within one process. It starts no goroutine: Publish hands hints over itself.
type Local struct {
	mu     sync.RWMutex
	topics map[string]map[*Subscription]struct{} // guarded by mu
	closed bool                                  // guarded by mu
}

// NewLocal returns a bus for one process.
func NewLocal() *Local {
	return &Local{topics: make(map[string]map[*Subscription]struct{})}
}

// Publish hands each hint to the subscriptions of its topic, in order, without ever blocking.
func (l *Local) Publish(hints ...Hint) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return
	}
	for _, hint := range hints {
		for s := range l.topics[hint.Topic] {
			s.offer(hint)
		}
		for s := range l.topics[all] {
			s.offer(hint)
		}
	}
}

// Subscribe returns a subscription that the caller must close. On a closed bus its channel is closed already.
func (l *Local) Subscribe(buffer int, topics ...string) *Subscription {
	s := &Subscription{c: make(chan Hint, max(buffer, 1)), topics: topics}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		s.finish()
		return s
	}
	s.leave = func() { l.drop(s) }
	for _, topic := range topics {
		if l.topics[topic] == nil {
			l.topics[topic] = make(map[*Subscription]struct{})
		}
		l.topics[topic][s] = struct{}{}
	}
	return s
}

// Miss tells every subscription that it missed hints of which nobody knows what they were about. What they get besides
// is a hint without a topic, so that they look.
func (l *Local) Miss() {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, subscriptions := range l.topics {
		for s := range subscriptions {
			s.missed.Store(true)
			s.offer(Hint{})
		}
	}
}

// Close ends every subscription. Later hints go nowhere.
func (l *Local) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	for _, subscriptions := range l.topics {
		for s := range subscriptions {
			s.finish()
		}
	}
	clear(l.topics)
}

// drop removes s and closes its channel. No publisher can be handing it a hint: they hold the read lock.
func (l *Local) drop(s *Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, topic := range s.topics {
		delete(l.topics[topic], s)
		if len(l.topics[topic]) == 0 {
			delete(l.topics, topic)
		}
	}
	s.finish()
}
