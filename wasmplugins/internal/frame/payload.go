package frame

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Setup is the first thing that a runner is told.
type Setup struct {
	// Mode is "run", "compile" or "probe".
	Mode string `json:"mode"`
	// Size of the module that follows, in bytes.
	Size int `json:"size"`
	// ScriptAt and ScriptSize say where in the module a script is, in
	// bytes; a size of 0 is none.
	ScriptAt   int `json:"script_at,omitempty"`
	ScriptSize int `json:"script_size,omitempty"`
	// Memory is the guest's limit in bytes.
	Memory uint64 `json:"memory"`
	// Fuel says that the module counts what it executes.
	Fuel bool `json:"fuel,omitempty"`
	// Cache is the folder with the compiled module, or the fresh folder
	// that a compile child writes.
	Cache string `json:"cache"`
	// CPU is the most processor time, in seconds.
	CPU uint64 `json:"cpu"`
	// Data is the most memory that the process may map, in bytes.
	Data uint64 `json:"data"`
	// UID and GID to become; 0 stays.
	UID int `json:"uid"`
	GID int `json:"gid"`
	// Parent is the process id of the pool.
	Parent int `json:"parent"`
	// Network is the pool's network namespace, empty where it has none.
	Network     string `json:"network,omitempty"`
	Uncontained bool   `json:"uncontained"`
	// Repeat makes the runner one for a single execution.
	Repeat *Repeat `json:"repeat,omitempty"`
}

// Repeat is what makes an execution do the same each time. A nil clock is the
// real one, a nil seed real random numbers.
type Repeat struct {
	ClockNS *int64  `json:"clock_ns,omitempty"` // since 1970
	Seed    *uint64 `json:"seed,omitempty"`
	// Instant says that sleeping moves the clock and takes no time.
	Instant bool `json:"instant,omitempty"`
}

// Hello is a runner's answer to Setup: it is ready, or Error says why not.
type Hello struct {
	Error string `json:"error,omitempty"`
	// Code goes with Error: "cache", "compile" or "sandbox".
	Code      string   `json:"code,omitempty"`
	CompileNS int64    `json:"compile_ns,omitempty"`
	Has       []string `json:"has,omitempty"`
	Missing   []string `json:"missing,omitempty"`
}

// Start are the numbers of one execution, before the request.
type Start struct {
	Stdout   uint64 // most bytes of standard output
	LogBytes uint64
	LogRate  uint32 // lines a second
	Fuel     uint64 // where the module counts; 0 is as much as there can be
	Env      []string
}

// Finish is how a guest ended.
type Finish struct {
	Exit uint32 `json:"exit"`
	// Fault is empty, or a code of spec: trap, output_limit, out_of_fuel.
	Fault   string `json:"fault,omitempty"`
	Message string `json:"message,omitempty"`
	Peak    uint64 `json:"peak"`
	Fuel    uint64 `json:"fuel,omitempty"` // used up
	GuestNS int64  `json:"guest_ns"`
	// LogCut says that lines were left out.
	LogCut bool `json:"log_cut,omitempty"`
	// Refused says that the guest asked for more memory than it may have.
	Refused bool `json:"refused,omitempty"`
}

// Append encodes s.
func (s Start) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, s.Stdout)
	b = binary.LittleEndian.AppendUint64(b, s.LogBytes)
	b = binary.LittleEndian.AppendUint32(b, s.LogRate)
	b = binary.LittleEndian.AppendUint64(b, s.Fuel)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.Env)))
	for _, e := range s.Env {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(e)))
		b = append(b, e...)
	}
	return b
}

// ParseStart decodes a Run frame; the request aliases b.
func ParseStart(b []byte) (s Start, request []byte, err error) {
	if len(b) < 32 {
		return s, nil, fmt.Errorf("run frame: %w", ErrHostile)
	}
	s.Stdout = binary.LittleEndian.Uint64(b)
	s.LogBytes = binary.LittleEndian.Uint64(b[8:])
	s.LogRate = binary.LittleEndian.Uint32(b[16:])
	s.Fuel = binary.LittleEndian.Uint64(b[20:])
	n := binary.LittleEndian.Uint32(b[28:])
	for b = b[32:]; n > 0; n-- {
		var e []byte
		if e, b, err = cut(b); err != nil {
			return s, nil, err
		}
		s.Env = append(s.Env, string(e))
	}
	return s, b, nil
}

// cut takes a length and so many bytes off the front.
func cut(b []byte) (head, rest []byte, err error) {
	if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, nil, fmt.Errorf("length in a frame: %w", ErrHostile)
	}
	n := int(binary.LittleEndian.Uint32(b))
	return b[4 : 4+n], b[4+n:], nil
}

// AppendLine encodes one line of a Log frame.
func AppendLine(b []byte, at time.Time, text []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(at.UnixMicro()))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

// LineSize is what AppendLine adds for a text of n bytes.
func LineSize(n int) int { return 12 + n }

// Lines decodes a Log frame; text aliases b.
func Lines(b []byte, each func(at time.Time, text []byte)) error {
	for len(b) > 0 {
		if len(b) < 8 {
			return fmt.Errorf("log line: %w", ErrHostile)
		}
		at := time.UnixMicro(int64(binary.LittleEndian.Uint64(b))).UTC()
		text, rest, err := cut(b[8:])
		if err != nil {
			return err
		}
		each(at, text)
		b = rest
	}
	return nil
}

// MaxOp is the longest name of an operation, in bytes.
const MaxOp = 64

// ParseCall decodes a Call frame; req aliases b.
func ParseCall(b []byte) (op string, req []byte, err error) {
	if len(b) == 0 || b[0] == 0 || b[0] > MaxOp || len(b) < 1+int(b[0]) {
		return "", nil, fmt.Errorf("call: %w", ErrHostile)
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], nil
}

// ParseReply decodes a Reply frame; reply aliases b.
func ParseReply(b []byte) (errno int32, reply []byte, err error) {
	if len(b) < 4 {
		return 0, nil, fmt.Errorf("reply: %w", ErrHostile)
	}
	return int32(binary.LittleEndian.Uint32(b)), b[4:], nil
}

// ParseUsed decodes a Used frame.
func ParseUsed(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("fuel: %w", ErrHostile)
	}
	return binary.LittleEndian.Uint64(b), nil
}

// AppendReply encodes the head of a Reply frame.
func AppendReply(b []byte, errno int32) []byte {
	return binary.LittleEndian.AppendUint32(b, uint32(errno))
}
