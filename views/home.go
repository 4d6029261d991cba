package views

import "octopus/internal/octopus"

// Home is the first page.
type Home struct {
	Page
	Steps    []Step // what a newcomer may tick off; none when all are done
	Choices  []Choice
	Feed     []octopus.Execution
	Tiles    []Tile
	Agents   int // registered
	Overview Overview
}

// Step is one thing of the strip for newcomers.
type Step struct {
	Done               bool
	Label, Href, About string
}

// Overview is the last 24 hours in numbers.
type Overview struct {
	Succeeded, Failed, Running, Queued int
	Hours                              []Hour
}

// Hour is one hour's bar.
type Hour struct {
	Label     string
	Good, Bad int
}

// Tile is a machine.
type Tile struct {
	Agent   octopus.Agent
	Status  string // online, offline, disabled, drained
	Free    int
	Slots   int
	Load    float64
	Running []TileRun
	More    int // running beyond those named
}

// TileRun is something that runs on a machine.
type TileRun struct{ ID, Title string }

// hourBar is one hour's rectangle, from the bottom up; the chart is 24 bars of 10 in a box 52 high.
type hourBar struct {
	X, Y, H, Class, Label string
}

// bars draws the hours.
func (o Overview) bars() (out []hourBar) {
	most := 1
	for _, h := range o.Hours {
		most = max(most, h.Good+h.Bad)
	}
	const full = 50.0
	for i, h := range o.Hours {
		x, good, bad := num(float64(i)*10+1), full*float64(h.Good)/float64(most), full*float64(h.Bad)/float64(most)
		if h.Good+h.Bad == 0 {
			out = append(out, hourBar{x, "50.0", "2.0", "none", h.Label})
			continue
		}
		if h.Good > 0 {
			good = max(good, 2)
			out = append(out, hourBar{x, num(52 - good), num(good), "ok", h.Label})
		} else {
			good = 0
		}
		if h.Bad > 0 {
			bad = max(bad, 2)
			out = append(out, hourBar{x, num(52 - good - bad), num(bad), "bad", h.Label})
		}
	}
	return out
}

// slot is one of a machine's places.
type slot struct {
	X, W string
	On   bool
}

// slots draws at most 32 places of a machine.
func (t Tile) slots() (out []slot) {
	n := min(max(t.Slots, 1), 32)
	busy := max(t.Slots-t.Free, 0)
	if t.Slots > 32 {
		busy = busy * 32 / t.Slots
	}
	w := 100 / float64(n)
	for i := range n {
		out = append(out, slot{num3(float64(i) * w), num3(w - 1), i < busy})
	}
	return out
}
