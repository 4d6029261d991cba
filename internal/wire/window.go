package wire

import "encoding/json"

// window holds the frames of one direction of a session of long polls until the other side has acknowledged them.
// Frames are numbered from 1.
type window struct {
	gone   int64 // how many were acknowledged
	frames [][]byte
	bytes  int
}

// room reports whether a frame may be added; one may always travel.
func (w *window) room(frame []byte, most int) bool {
	return len(w.frames) == 0 || len(w.frames) < most && w.bytes+len(frame) <= PollWindow
}

func (w *window) add(frame []byte) {
	w.frames = append(w.frames, frame)
	w.bytes += len(frame)
}

// sent reports whether a frame with that number was ever added.
func (w *window) sent(number int64) bool { return number <= w.gone+int64(len(w.frames)) }

// acknowledge drops the frames up to a number, which was sent; false: it has dropped them before.
func (w *window) acknowledge(number int64) bool {
	if number <= w.gone {
		return false
	}
	for ; w.gone < number; w.gone++ {
		w.bytes -= len(w.frames[0])
		w.frames[0] = nil
		w.frames = w.frames[1:]
	}
	if len(w.frames) == 0 {
		w.frames = nil // so that an idle session holds no memory
	}
	return true
}

// under lists what is under way, and the number of the first; 0 and none where nothing is.
func (w *window) under() (seq int64, frames []json.RawMessage) {
	if len(w.frames) == 0 {
		return 0, nil
	}
	frames = make([]json.RawMessage, len(w.frames))
	for i, f := range w.frames {
		frames[i] = f
	}
	return w.gone + 1, frames
}
