package process

import (
	"errors"
	"os"
	"time"
)

// sink reads what a program prints until all ends of the pipe are closed, keeps the head, and drops the rest.
type sink struct {
	from *os.File
	done chan struct{}
	out  Output // owned by the goroutine until done is closed
}

func newSink(from *os.File, keep int64) *sink {
	s := &sink{from: from, done: make(chan struct{})}
	go s.read(keep)
	return s
}

func (s *sink) read(keep int64) {
	defer close(s.done)
	buffer := make([]byte, 32<<10)
	for {
		n, err := s.from.Read(buffer)
		room := min(int64(n), keep-int64(len(s.out.Bytes)))
		s.out.Bytes = append(s.out.Bytes, buffer[:room]...)
		s.out.Truncated = s.out.Truncated || room < int64(n) || errors.Is(err, os.ErrDeadlineExceeded)
		if err != nil {
			return
		}
	}
}

// finish waits for the end of the output, but no longer than patience.
func (s *sink) finish(patience time.Duration) Output {
	_ = s.from.SetReadDeadline(time.Now().Add(patience))
	<-s.done
	s.from.Close()
	return s.out
}
