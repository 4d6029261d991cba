//go:build seededbugs

package bus

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// EnvBetween names, in a build for tests, the UDP address through which servers send each other their hints. A test
// listens there, loses, doubles and delays them, and passes the rest on: see [Chaos] and e2e/chaos.
const EnvBetween = "OCTOPUS_TEST_BUS"

// MaxDatagram bounds a message between servers, in bytes. What is larger is lost, as any hint may be.
const MaxDatagram = 60 << 10

// Between is what a server publishes its commits on: the bus of its process and, where the environment names one,
// that of the test. What comes from there is published in the process only, so that nothing goes in circles.
func Between(local *Local) (Bus, error) {
	address := os.Getenv(EnvBetween)
	if address == "" {
		return local, nil
	}
	conn, err := net.Dial("udp", address)
	if err != nil {
		return nil, fmt.Errorf("test bus: %w", err)
	}
	b := &between{Local: local, conn: conn, done: make(chan struct{})}
	b.wg.Go(b.read)
	b.wg.Go(b.greet)
	return b, nil
}

type between struct {
	*Local
	conn net.Conn
	wg   sync.WaitGroup
	once sync.Once
	done chan struct{}
}

// Publish hands hints to the process and to the other servers.
func (b *between) Publish(hints ...Hint) {
	b.Local.Publish(hints...)
	if body, err := json.Marshal(hints); err == nil && len(hints) > 0 && len(body) <= MaxDatagram {
		_, _ = b.conn.Write(body) // a hint may be lost
	}
}

// greet tells the test, again and again, that this server is there.
func (b *between) greet() {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		_, _ = b.conn.Write([]byte("[]"))
		select {
		case <-every.C:
		case <-b.done:
			return
		}
	}
}

func (b *between) read() {
	buffer := make([]byte, MaxDatagram)
	for {
		n, err := b.conn.Read(buffer)
		select {
		case <-b.done:
			return
		default:
		}
		var hints []Hint
		if err != nil || json.Unmarshal(buffer[:n], &hints) != nil {
			continue // nobody listens at the moment: the next datagram is another matter
		}
		b.Local.Publish(hints...)
	}
}

// Close ends both.
func (b *between) Close() {
	b.once.Do(func() {
		close(b.done)
		b.conn.Close()
	})
	b.wg.Wait()
	b.Local.Close()
}
