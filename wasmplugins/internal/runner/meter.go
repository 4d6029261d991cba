package runner

import (
	"encoding/binary"
	"sync"
	"time"

	"octopus/wasmplugins/internal/frame"
)

// When the pool is told what a guest has used: first soon, for those that are
// killed early, then now and then.
const (
	reportFirst = 10 * time.Millisecond
	reportEvery = 100 * time.Millisecond
)

// meter tells the pool what a guest that runs has used up of its fuel: who is
// killed says no more. A guest that ends within reportFirst costs it a timer
// that never fires, and one that calls nothing and never returns is still seen,
// by another thread.
type meter struct {
	send func(kind byte, parts ...[]byte) error

	mu    sync.Mutex // the guest's goroutine, and the timer's
	timer *time.Timer
	on    bool
	tank  tank
	said  uint64
	parts [][]byte // of the frame
}

func newMeter(send func(byte, ...[]byte) error) *meter {
	m := &meter{send: send, parts: [][]byte{make([]byte, 8)}}
	m.timer = time.AfterFunc(time.Hour, m.tick)
	m.timer.Stop()
	return m
}

// begin starts with a tank that has been filled. One without a gauge is not
// looked at.
func (m *meter) begin(t tank) {
	if t.gauge == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.on, m.tank, m.said = true, t, 0
	m.timer.Reset(reportFirst)
}

// end stops it. Nothing is sent after it returned.
func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.on {
		m.on, m.tank = false, tank{}
		m.timer.Stop()
	}
}

// tick sends what was used, unless nothing was since the last time. It makes no
// garbage: a collection would wait for the guest, and everything else for it.
func (m *meter) tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.on {
		return
	}
	if used := m.tank.spent(); used > m.said {
		m.said = used
		binary.LittleEndian.PutUint64(m.parts[0], used)
		if err := m.send(frame.Used, m.parts...); err != nil {
			return // the pool is gone, which the guest's goroutine will notice
		}
	}
	m.timer.Reset(reportEvery)
}
