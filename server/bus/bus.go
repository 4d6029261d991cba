// Package bus carries hints that something changed, so that pages, waiters and caches need not poll.
//
// The database is the truth. A hint may be lost, doubled or reordered at no cost but latency.
package bus

// Hint says that something changed. Topics are "executions", "agents", "tasks", "plugins", "users", "broadcast"
// and "demo"; "run:<id>", "execution:<id>", "logs:<execution id>", "agent:<id>"; and "cache:<region>".
type Hint struct {
	Topic string `json:"topic"`
	ID    string `json:"id,omitempty"`  // of the thing that changed; "" where the topic names it or where it is all
	Seq   int64  `json:"seq,omitempty"` // logs: the newest chunk
}

// Bus delivers hints to everyone who subscribed to their topic.
type Bus interface {
	// Publish never blocks. A subscriber whose buffer is full misses the hint and is told so.
	Publish(hints ...Hint)
	// Subscribe asks for topics, matched exactly; "*" is every topic. The buffer holds that many hints.
	Subscribe(buffer int, topics ...string) *Subscription
	// Close ends the bus and closes every subscription's channel. It is idempotent.
	Close()
}
