package dispatch

import (
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Only a journal that was the same all the time since the go proves that an execution never started.
func TestSameJournal(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	type opened struct {
		minute  int
		journal string
	}
	for name, c := range map[string]struct {
		before []opened // sessions before this one, the oldest first
		now    string
		want   bool
	}{
		"one session, the same journal":            {[]opened{{0, "a"}}, "a", true},
		"another journal":                          {[]opened{{0, "a"}}, "b", false},
		"another one whose hello was not answered": {[]opened{{0, "a"}, {7, "b"}}, "b", false},
		"another one before the go":                {[]opened{{-9, "b"}, {0, "a"}}, "a", true},
		"several, all the same":                    {[]opened{{0, "a"}, {6, "a"}, {7, "a"}}, "a", true},
		"another one in between":                   {[]opened{{0, "a"}, {6, "b"}, {7, "a"}}, "a", false},
		"the sessions of then are not kept":        {[]opened{{6, "a"}}, "a", false},
		"none is kept":                             {nil, "a", false},
		"the clock went back":                      {[]opened{{0, "a"}, {-3, "b"}}, "b", false},
	} {
		s := &Session{epoch: 10, journal: c.now}
		sessions := []octopus.AgentSession{{Epoch: 10, ConnectedAt: at(8), Incarnation: "x/" + c.now}}
		for i, o := range c.before {
			older := octopus.AgentSession{Epoch: int64(i), ConnectedAt: at(o.minute), Incarnation: "y/" + o.journal}
			sessions = append(sessions[:1:1], append([]octopus.AgentSession{older}, sessions[1:]...)...)
		}
		if got := s.sameJournal(sessions, at(5)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A hello that comes again is not heard: it says what the agent held before.
func TestHellosThatComeAgain(t *testing.T) {
	t.Parallel()
	s := &Session{}
	for i, c := range []struct {
		seq  int64
		page int
		want bool
	}{
		{1, 0, true}, {1, 0, false}, {1, 1, true}, {1, 1, false}, {1, 0, false},
		{2, 1, false}, {2, 0, true}, {1, 2, false}, {3, 0, true}, {2, 1, false}, {3, 1, true},
		{0, 0, true}, {0, 0, true}, // an agent that does not count
	} {
		if got := s.expects(&wire.Hello{Seq: c.seq, Page: c.page}); got != c.want {
			t.Errorf("message %d, hello %d page %d: %v", i, c.seq, c.page, got)
		}
	}
}
