// Package logging opens the log of a process: standard error, or a file that is put aside when it has grown.
package logging

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/DeRuina/timberjack"
)

// Config says what is logged, how and where. See [Defaults].
type Config struct {
	// Level is the least that is logged: debug, info, warn or error. Defaults to info.
	Level string `key:"level"`
	// Format is text or json. Defaults to text.
	Format string `key:"format"`
	// File is where the log goes instead of standard error; only one process may write to it. Defaults to standard error.
	File string `key:"file"`
	// Size is how large the file may grow before it is put aside and a new one begun, in whole MiB. Defaults to 100MiB.
	Size int64 `key:"size"`
	// Count is how many files that were put aside are kept. Defaults to 5.
	Count int `key:"count"`
}

// Defaults is what Config's comments say.
func Defaults() Config { return Config{Level: "info", Format: "text", Size: 100 << 20, Count: 5} }

// maxSize is the largest log file, in bytes.
const maxSize = 1 << 40

// Validate returns every problem at once, a sentence each. section names the keys, such as "logging.".
func (c Config) Validate(section string) error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(section+format, args...)) }
	if _, err := c.level(); err != nil {
		problem("level is %q, but must be one of debug, info, warn, error.", c.Level)
	}
	if c.Format != "text" && c.Format != "json" {
		problem("format is %q, but must be one of text, json.", c.Format)
	}
	if c.Size < 1<<20 || c.Size > maxSize {
		problem("size must be 1MiB to 1024GiB.")
	}
	if c.Count < 1 || c.Count > 10_000 {
		problem("count must be 1 to 10000.")
	}
	return errors.Join(problems...)
}

func (c Config) level() (slog.Level, error) {
	switch c.Level {
	case "debug", "info", "warn", "error":
		var l slog.Level
		return l, l.UnmarshalText([]byte(c.Level))
	}
	return 0, errors.New("no such level")
}

// Open makes the logger. What it writes is closed by the function that it returns, after the last line. stderr is
// used where there is no file. The error is for people.
func (c Config) Open(stderr io.Writer) (*slog.Logger, func() error, error) {
	level, err := c.level()
	if err != nil {
		return nil, nil, fmt.Errorf("log level: %w", err)
	}
	w, end := stderr, func() error { return nil }
	if c.File != "" {
		file, err := c.open()
		if err != nil {
			return nil, nil, err
		}
		w, end = file, file.Close
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), end, nil
	}
	return slog.New(slog.NewTextHandler(w, options)), end, nil
}

// open tries the file at once: a mistake in its name is to be told at the start, not with the first line.
func (c Config) open() (io.WriteCloser, error) {
	if err := os.MkdirAll(filepath.Dir(c.File), 0o700); err != nil {
		return nil, fmt.Errorf("The folder of the log file %s cannot be made: %w.", c.File, err)
	}
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("The log file cannot be written: %w.", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	return &timberjack.Logger{
		Filename: c.File, MaxSize: int((c.Size + 1<<20 - 1) >> 20), MaxBackups: c.Count, FileMode: 0o600, Compression: "none",
	}, nil
}
