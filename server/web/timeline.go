package web

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"octopus/internal/octopus"
	"octopus/views"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// stretch is a part of an execution's life. An open one still goes on since its start.
type stretch struct {
	class, label string
	took         time.Duration
	open         time.Time
}

// goingOn are the labels of stretches that have not ended.
var goingOn = map[string]string{"Waited": "Waiting", "Handed over": "Handing over", "Getting ready": "Getting ready"}

// stretches cuts an execution's life: waiting, hand-over, download, compilation, getting ready, running.
func stretches(x octopus.Execution) (out []stretch) {
	end := x.FinishedAt
	add := func(class, label string, from, to time.Time) (done bool) {
		if from.IsZero() {
			return true
		}
		if to.IsZero() {
			to = end
		}
		if to.IsZero() {
			out = append(out, stretch{class: class, label: goingOn[label], open: from})
			return true
		}
		out = append(out, stretch{class: class, label: label, took: max(to.Sub(from), 0)})
		return false
	}
	if add("t-wait", "Waited", x.CreatedAt, x.OfferedAt) || add("t-hand", "Handed over", x.OfferedAt, x.GoAt) {
		return out
	}
	if x.GoAt.IsZero() {
		return out
	}
	if x.StartedAt.IsZero() {
		add("t-ready", "Getting ready", x.GoAt, time.Time{})
		return out
	}
	return append(ready(x, out), running(x))
}

// ready cuts what came between go and the start of the guest.
func ready(x octopus.Execution, out []stretch) []stretch {
	rest := max(x.StartedAt.Sub(x.GoAt), 0)
	for _, p := range []stretch{
		{class: "t-load", label: "Download", took: x.Usage.DownloadTime}, {class: "t-comp", label: "Compile", took: x.Usage.CompileTime},
	} {
		if p.took > 0 {
			out = append(out, p)
			rest = max(rest-p.took, 0)
		}
	}
	return append(out, stretch{class: "t-ready", label: "Getting ready", took: rest})
}

func running(x octopus.Execution) stretch {
	if x.FinishedAt.IsZero() {
		return stretch{class: "t-run", label: "Running", open: x.StartedAt}
	}
	return stretch{class: "t-run s-" + string(x.Status), label: "Ran", took: max(x.FinishedAt.Sub(x.StartedAt), 0)}
}

// timeline lays the stretches out on a bar 1000 wide. Short ones keep a visible sliver; what goes on takes the
// larger part of the bar.
func timeline(x octopus.Execution) views.Timeline {
	list := stretches(x)
	var closed time.Duration
	for _, p := range list {
		closed += p.took
	}
	m := views.Timeline{Label: "Where the time went"}
	if !x.FinishedAt.IsZero() {
		m.Total = x.FinishedAt.Sub(x.CreatedAt)
	}
	weights := make([]float64, len(list))
	var sum float64
	for i, p := range list {
		share := float64(p.took)
		if !p.open.IsZero() {
			share = 2 * float64(max(closed, time.Second))
		}
		weights[i] = max(share, 0.006*float64(max(closed, time.Millisecond)))
		sum += weights[i]
	}
	at := 0.0
	for i, p := range list {
		width := 1000 * weights[i] / sum
		m.Parts = append(m.Parts, views.TimelinePart{Class: p.class, Label: p.label, Took: p.took, Open: p.open, X: decimal(at), W: decimal(width)})
		at += width
	}
	return m
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
