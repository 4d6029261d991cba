package wasmplugins

import (
	"errors"
	"fmt"
	"os"
)

// errStdout is a runner that sends more output than its guest may print.
var errStdout = errors.New("more output than allowed")

// spill collects standard output: in memory up to SpillOver, beyond it in a
// file.
type spill struct {
	dir   string
	limit int64
	size  int64
	buf   []byte
	file  *os.File
}

func (s *spill) add(p []byte) error {
	if s.size += int64(len(p)); s.size > s.limit {
		return errStdout
	}
	if s.file == nil && s.size > SpillOver {
		f, err := os.CreateTemp(s.dir, "stdout-")
		if err != nil {
			return fmt.Errorf("output file: %w", err)
		}
		s.file = f
		if _, err := f.Write(s.buf); err != nil {
			return fmt.Errorf("output file: %w", err)
		}
		s.buf = nil
	}
	if s.file == nil {
		s.buf = append(s.buf, p...)
		return nil
	}
	if _, err := s.file.Write(p); err != nil {
		return fmt.Errorf("output file: %w", err)
	}
	return nil
}

// result is all that was printed, and the file that it is in, if any. The
// file stays; the caller of Run removes it.
func (s *spill) result() (raw []byte, file string, err error) {
	if s.file == nil {
		return s.buf, "", nil
	}
	raw, err = os.ReadFile(s.file.Name())
	return raw, s.file.Name(), err
}

func (s *spill) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}
