package redact

import "octopus/wasmplugins"

// Lines takes secrets out of a log, line by line as they come. Where the sandbox cut a line that was too long, its
// parts are looked at as one text: no secret escapes across the cut. Its methods are for one goroutine.
type Lines struct {
	Redactor *Redactor
	// Out gets the lines.
	Out func([]wasmplugins.LogLine)

	held []wasmplugins.LogLine // parts of one line, whose rest is still to come
	size int                   // bytes of held
	skip int                   // so many bytes of it are replaced already, by what an earlier part ends with
}

// maxHeld is how many bytes of an endless line are held back before its beginning is let go.
const maxHeld = 128 << 10

// Write takes lines.
func (l *Lines) Write(lines []wasmplugins.LogLine) {
	if !l.Redactor.Knows() {
		l.Out(lines)
		return
	}
	var out []wasmplugins.LogLine
	for _, line := range lines {
		l.held = append(l.held, line)
		l.size += len(line.Text)
		if !line.Cut {
			out = append(out, l.release(len(l.held))...)
		} else if l.size > maxHeld {
			out = append(out, l.release(l.early())...)
		}
	}
	if len(out) > 0 {
		l.Out(out)
	}
}

// Close lets go of what is held: the log has ended.
func (l *Lines) Close() {
	if len(l.held) > 0 {
		l.Out(l.release(len(l.held)))
	}
}

// early is how many parts can go before the line has ended: every secret that begins in them is there as a whole.
func (l *Lines) early() int {
	longest, behind, n := l.Redactor.Longest(), 0, len(l.held)
	for n > 0 && behind < longest {
		n--
		behind += len(l.held[n].Text)
	}
	return n
}

// release redacts what is held as one text, and lets the first n parts go. A secret that a cut goes through stays
// with the part in which it begins.
func (l *Lines) release(n int) []wasmplugins.LogLine {
	var text []byte
	var cuts []int
	ends := make([]int, len(l.held))
	for i, part := range l.held {
		text = append(text, part.Text...)
		if ends[i] = len(text); part.Cut {
			cuts = append(cuts, ends[i])
		}
	}
	spans := l.Redactor.findCut(text, cuts)
	out, at := make([]wasmplugins.LogLine, n), l.skip
	for i := range n {
		var b []byte
		for len(spans) > 0 && spans[0].from < ends[i] {
			s := spans[0]
			if s.from >= at {
				b = append(append(b, text[at:s.from]...), s.token...)
			}
			at = max(at, s.to)
			spans = spans[1:]
		}
		if at < ends[i] {
			b = append(b, text[at:ends[i]]...)
			at = ends[i]
		}
		out[i] = l.held[i]
		out[i].Text = string(b)
	}
	l.skip = 0
	if n > 0 {
		l.size -= ends[n-1]
		l.skip = at - ends[n-1]
	}
	l.held = append(l.held[:0], l.held[n:]...)
	if len(l.held) == 0 {
		l.skip = 0
	}
	return out
}

// findCut is find, and what a cut leaves of a secret whose rest did not come: lines may have been left out there.
func (r *Redactor) findCut(text []byte, cuts []int) []span {
	spans := r.find(text)
	for _, end := range cuts {
		if at, token := r.unfinished(text[:end]); at < end {
			spans = append(spans, span{at, end, token})
		}
	}
	return merge(spans)
}
