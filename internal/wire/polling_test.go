package wire_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// TestPollingLosesNothing plays sessions in which polls and answers are lost, late and doubled: what comes out is what
// was put in, in order, each frame once.
func TestPollingLosesNothing(t *testing.T) {
	t.Parallel()
	whole := 0
	for seed := range uint64(300) {
		s := &pollPlay{random: rand.New(rand.NewPCG(seed, 0)), client: wire.NewPollClient("session1", "why not"), server: new(wire.PollServer)}
		for n := 0; n < 400 && s.err == nil; n++ {
			s.step(n < 200)
		}
		if s.malformed != nil {
			t.Fatalf("seed %d: %v", seed, s.malformed)
		}
		if s.err != nil {
			continue // six polls in a row came to nothing: the agent opens another session
		}
		if !slices.Equal(s.up, s.cameUp) || !slices.Equal(s.down, s.cameDown) {
			t.Fatalf("seed %d: up %d of %d frames, down %d of %d", seed, len(s.cameUp), len(s.up), len(s.cameDown), len(s.down))
		}
		whole++
	}
	if whole < 200 {
		t.Errorf("only %d sessions came to their end", whole)
	}
}

type pollPlay struct {
	random           *rand.Rand
	client           *wire.PollClient
	server           *wire.PollServer
	polls, held      []*wire.Poll
	answers          []pollAnswer
	up, cameUp       []string
	down, cameDown   []string
	upLater, dnLater []string
	err, malformed   error
}

type pollAnswer struct {
	poll   *wire.Poll
	polled *wire.Polled
}

// step does one thing by chance. Without faults everything arrives in the end.
func (s *pollPlay) step(faults bool) {
	if faults && s.random.IntN(3) == 0 {
		s.up = append(s.up, fmt.Sprintf(`"up%d"`, len(s.up)))
		s.upLater = append(s.upLater, s.up[len(s.up)-1])
	}
	if faults && s.random.IntN(3) == 0 {
		s.down = append(s.down, fmt.Sprintf(`"down%d"`, len(s.down)))
		s.dnLater = append(s.dnLater, s.down[len(s.down)-1])
	}
	for len(s.upLater) > 0 && s.client.Add([]byte(s.upLater[0])) {
		s.upLater = s.upLater[1:]
	}
	for len(s.dnLater) > 0 && s.server.Add([]byte(s.dnLater[0]), 4) {
		s.dnLater = s.dnLater[1:]
	}
	if p := s.client.Next(); p != nil {
		s.polls = append(s.polls, p)
	}
	lose := faults && s.random.IntN(8) == 0
	if p, ok := draw(s.random, &s.polls); ok {
		if lose {
			_, s.err = s.client.Failed(p, 0, errors.New("lost"))
		} else if s.arrive(p); faults && s.random.IntN(10) == 0 {
			s.arrive(p) // again
		}
	}
	s.held = slices.DeleteFunc(s.held, func(p *wire.Poll) bool {
		due := s.server.Due(p) || !faults || s.random.IntN(10) == 0 // or it waited long enough
		if due {
			s.answers = append(s.answers, pollAnswer{p, s.server.Answer(p)})
		}
		return due
	})
	if a, ok := draw(s.random, &s.answers); ok && s.err == nil {
		if faults && s.random.IntN(8) == 0 {
			_, s.err = s.client.Failed(a.poll, 0, errors.New("lost"))
			return
		}
		frames, _, _, err := s.client.Answered(a.poll, a.polled)
		for _, f := range frames {
			s.cameDown = append(s.cameDown, string(f))
		}
		s.err = err
	}
}

func (s *pollPlay) arrive(p *wire.Poll) {
	if err := s.server.Begin(p); err != nil {
		if octopus.CodeOf(err) != octopus.CodeConflict {
			s.malformed = err
		}
		s.client.Again(p)
		return
	}
	for i, f := range p.Frames {
		if fresh, gap := s.server.Fresh(p.Seq + int64(i)); gap {
			break
		} else if fresh {
			s.server.Taken()
			s.cameUp = append(s.cameUp, string(f))
		}
	}
	s.held = append(s.held, p)
}

// draw takes one by chance.
func draw[T any](random *rand.Rand, list *[]T) (one T, ok bool) {
	if len(*list) == 0 {
		return one, false
	}
	i := random.IntN(len(*list))
	one = (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return one, true
}
