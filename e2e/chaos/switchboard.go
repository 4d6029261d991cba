//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"octopus/server/bus"
)

// Of the bus between servers: what a build with the tag seededbugs is told its address by, how large its messages
// are, and after how long a server that says nothing is forgotten. The tests of this package do not carry the tag.
const (
	envBus      = "OCTOPUS_TEST_BUS"
	maxDatagram = 60 << 10
	silentAfter = time.Minute
	busChanges  = 20 * time.Second // it is on for so long, then off
)

// switchboard is the bus between servers at its worst: bus.Chaos, through which every hint of a server goes to all of
// them. From time to time there is none at all.
type switchboard struct {
	conn   *net.UDPConn
	bus    *bus.Chaos
	on     atomic.Bool
	taken  atomic.Int64 // hints that servers published
	passed atomic.Int64 // hints that were delivered to one
	wg     sync.WaitGroup

	mu    sync.Mutex
	peers map[netip.AddrPort]time.Time // guarded by mu: when it was heard last
}

func newSwitchboard(seed uint64) (*switchboard, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("switchboard: %w", err)
	}
	s := &switchboard{conn: conn, bus: bus.NewChaos(seed), peers: make(map[netip.AddrPort]time.Time)}
	s.on.Store(true)
	hints := s.bus.Subscribe(4096, "*")
	s.wg.Go(s.take)
	s.wg.Go(func() {
		for hint := range hints.C() {
			s.pass(hint)
		}
	})
	return s, nil
}

// flicker turns the bus off and on until ctx ends.
func (s *switchboard) flicker(ctx context.Context, note func(string, ...any)) {
	for pause(ctx, busChanges) {
		s.on.Store(!s.on.Load())
		note("the bus between servers is on: %v", s.on.Load())
	}
}

// take reads what servers publish.
func (s *switchboard) take() {
	buffer := make([]byte, maxDatagram)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		var hints []bus.Hint
		if err != nil || json.Unmarshal(buffer[:n], &hints) != nil {
			continue // a server that was killed: its socket is gone
		}
		s.mu.Lock()
		s.peers[from] = time.Now()
		s.mu.Unlock()
		if s.on.Load() {
			s.taken.Add(int64(len(hints)))
			s.bus.Publish(hints...)
		}
	}
}

// pass hands a hint to every server, also to the one that it came from.
func (s *switchboard) pass(hint bus.Hint) {
	body, err := json.Marshal([]bus.Hint{hint})
	if err != nil || !s.on.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for peer, heard := range s.peers {
		if time.Since(heard) > silentAfter {
			delete(s.peers, peer)
			continue
		}
		if _, err := s.conn.WriteToUDPAddrPort(body, peer); err == nil {
			s.passed.Add(1)
		}
	}
}

func (s *switchboard) address() string { return s.conn.LocalAddr().String() }

func (s *switchboard) close() {
	s.conn.Close()
	s.bus.Close()
	s.wg.Wait()
}
