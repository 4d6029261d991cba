package dispatch

import (
	"fmt"
	"strings"

	"octopus/internal/octopus"
)

// maxSteps bounds the lines of an explanation; where there are more, the middle is left out.
const maxSteps = 200

// stepsOf turns an execution's events into the lines of its explanation: an offer and what became of it are one, and
// offers that came to nothing again and again in the same way are counted.
func stepsOf(events []octopus.Event) []octopus.Step {
	var s stepper
	for _, e := range events {
		s.add(e)
	}
	s.close()
	return shorten(s.lines)
}

// stepper puts the lines together.
type stepper struct {
	lines []octopus.Step
	open  bool // the last line is an offer whose end is not known
	fell  bool // the last offer, or attempt, came to nothing, and no other was made since
}

func (s *stepper) last() *octopus.Step { return &s.lines[len(s.lines)-1] }

func (s *stepper) add(e octopus.Event) {
	switch {
	case e.Kind == "offered":
		s.offer(e)
	case s.open && closes(e.Kind) && e.AgentID == s.last().AgentID:
		s.settle(e)
	default:
		if s.open && e.Kind == "ended" {
			s.last().Outcome, s.last().Until = "ended", e.At
			s.last().Message = "Offered to " + s.last().AgentName + "."
			s.open = false
		}
		s.fell = e.Kind == "withdrawn"
		s.append(plain(e))
	}
}

// closes reports whether an event ends an offer.
func closes(kind string) bool { return kind == "accepted" || kind == "withdrawn" || kind == "rejected" }

func plain(e octopus.Event) octopus.Step {
	return octopus.Step{
		Kind: e.Kind, At: e.At, AgentID: e.AgentID, AgentName: e.AgentName, Attempt: e.Attempt, Count: 1,
		Message: e.Message, Duration: e.Duration,
	}
}

// offer begins an offer, and says of the one before where it went.
func (s *stepper) offer(e octopus.Event) {
	if s.fell && s.last().AgentID != e.AgentID {
		s.last().Message += " Placed on " + e.AgentName + "."
	}
	s.fell, s.open = false, true
	line := plain(e)
	line.Message = "Offered to " + e.AgentName + ", which has not answered yet."
	s.lines = append(s.lines, line)
}

// settle notes what became of the open offer.
func (s *stepper) settle(e octopus.Event) {
	line := s.last()
	line.Outcome, line.Until, line.Attempt = e.Kind, e.At, e.Attempt
	s.open, s.fell = false, e.Kind != "accepted"
	rest, named := strings.CutPrefix(e.Message, e.AgentName+" ")
	switch {
	case e.Kind == "accepted":
		line.Message = fmt.Sprintf("Offered to %s, which took it: attempt %d.", e.AgentName, e.Attempt)
	case named:
		line.Message = "Offered to " + e.AgentName + ", which " + rest
	default:
		line.Message = "Offered to " + e.AgentName + ". " + e.Message
	}
	done := *line
	s.lines = s.lines[:len(s.lines)-1]
	s.append(done)
}

// append adds a line, or counts it where it says what the last one said.
func (s *stepper) append(line octopus.Step) {
	if len(s.lines) > 0 {
		l := s.last()
		if l.Kind == line.Kind && l.Outcome == line.Outcome && l.AgentID == line.AgentID && l.Message == line.Message && l.Attempt == line.Attempt {
			l.Count, l.Until = l.Count+1, line.At
			if !line.Until.IsZero() {
				l.Until = line.Until
			}
			return
		}
	}
	s.lines = append(s.lines, line)
}

// close leaves the last offer open, if it is.
func (s *stepper) close() { s.open, s.fell = false, false }

func shorten(lines []octopus.Step) []octopus.Step {
	if len(lines) <= maxSteps {
		return lines
	}
	const head = maxSteps / 4
	tail := lines[len(lines)-(maxSteps-head-1):]
	gap := octopus.Step{
		Kind: "left_out", At: lines[head].At, Count: len(lines) - head - len(tail),
		Message: fmt.Sprintf("%d more lines are left out here.", len(lines)-head-len(tail)),
	}
	return append(append(lines[:head:head], gap), tail...)
}
