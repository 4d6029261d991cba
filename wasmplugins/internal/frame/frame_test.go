package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	var pipe bytes.Buffer
	w := NewWriter(&pipe)
	big := bytes.Repeat([]byte("x"), MaxPiece)
	for _, f := range []struct {
		kind  byte
		parts [][]byte
	}{{Out, [][]byte{[]byte("a"), []byte("bc")}}, {Log, nil}, {Out, [][]byte{big}}, {End, [][]byte{[]byte("{}")}}} {
		if err := w.Write(f.kind, f.parts...); err != nil {
			t.Fatal(err)
		}
	}
	raw := pipe.Bytes()
	for name, source := range map[string]io.Reader{
		"whole":   bytes.NewReader(raw),
		"in bits": iotest.OneByteReader(bytes.NewReader(raw)),
		"halves":  iotest.HalfReader(bytes.NewReader(raw)),
	} {
		r := NewReader(source, true)
		for i, want := range []struct {
			kind byte
			size int
		}{{Out, 3}, {Log, 0}, {Out, MaxPiece}, {End, 2}} {
			kind, payload, err := r.Next()
			if err != nil || kind != want.kind || len(payload) != want.size {
				t.Fatalf("%s, frame %d: kind %d with %d bytes, %v", name, i, kind, len(payload), err)
			}
		}
		if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: after the last frame %v", name, err)
		}
	}
}

func TestHostileFrames(t *testing.T) {
	t.Parallel()
	head := func(kind byte, size uint32) []byte { return binary.LittleEndian.AppendUint32([]byte{kind}, size) }
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"unknown kind":  {head(99, 0), ErrHostile},
		"no kind":       {head(0, 0), ErrHostile},
		"the other way": {head(Run, 0), ErrHostile},
		"too long":      {head(Out, MaxPiece+1), ErrHostile},
		"4 GiB":         {head(Log, 1<<32-1), ErrHostile},
		"cut head":      {head(Out, 1)[:3], io.ErrUnexpectedEOF},
		"cut payload":   {append(head(Out, 9), "abc"...), io.ErrUnexpectedEOF},
		"no payload":    {head(Out, 9), io.ErrUnexpectedEOF},
	} {
		if _, _, err := NewReader(bytes.NewReader(c.raw), true).Next(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// A header that promises much takes no memory until the bytes arrive.
func TestPromisesTakeNoMemory(t *testing.T) {
	t.Parallel()
	raw := append(binary.LittleEndian.AppendUint32([]byte{Call}, MaxCall), "only this"...)
	r := NewReader(bytes.NewReader(raw), true)
	if _, _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) || len(r.buf) > keep {
		t.Errorf("buffer of %d bytes, %v", len(r.buf), err)
	}
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	start := Start{Stdout: 1, LogBytes: 2, LogRate: 3, Fuel: 4, Env: []string{"A=b", ""}}
	got, request, err := ParseStart(append(start.Append(nil), "request"...))
	if err != nil || got.Stdout != 1 || got.LogRate != 3 || got.Fuel != 4 || len(got.Env) != 2 || string(request) != "request" {
		t.Errorf("start %+v %q %v", got, request, err)
	}
	at := time.UnixMicro(1234567).UTC()
	lines := AppendLine(AppendLine(nil, at, []byte("one")), at, nil)
	n := 0
	if err := Lines(lines, func(when time.Time, text []byte) {
		if n++; !when.Equal(at) || n == 1 && string(text) != "one" {
			t.Errorf("line %d: %s %q", n, when, text)
		}
	}); err != nil || n != 2 || len(lines) != LineSize(3)+LineSize(0) {
		t.Errorf("%d lines, %v", n, err)
	}
	op, req, err := ParseCall([]byte("\x02opreq"))
	if err != nil || op != "op" || string(req) != "req" {
		t.Errorf("call %q %q %v", op, req, err)
	}
	errno, reply, err := ParseReply(append(AppendReply(nil, 52), "x"...))
	if err != nil || errno != 52 || string(reply) != "x" {
		t.Errorf("reply %d %q %v", errno, reply, err)
	}
	if used, err := ParseUsed([]byte{1, 2, 0, 0, 0, 0, 0, 0}); err != nil || used != 513 {
		t.Errorf("fuel %d %v", used, err)
	}
	if _, err := ParseUsed(make([]byte, 7)); !errors.Is(err, ErrHostile) {
		t.Errorf("fuel of 7 bytes: %v", err)
	}
}

// FuzzReader is the agent's side of the pipe: whatever arrives, no panic, no
// frame beyond its cap, and no more than what was sent.
func FuzzReader(f *testing.F) {
	var pipe bytes.Buffer
	w := NewWriter(&pipe)
	_ = w.Write(Ready, []byte(`{"has":["a"]}`))
	_ = w.Write(Log, AppendLine(nil, time.Unix(1, 0), []byte("line")))
	_ = w.Write(Call, []byte("\x0cdns.lookup{}"))
	_ = w.Write(Out, []byte(`{"status_code":200}`))
	_ = w.Write(Used, make([]byte, 8))
	_ = w.Write(End, []byte(`{"exit":0}`))
	f.Add(pipe.Bytes())
	f.Add([]byte{Call, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := NewReader(iotest.HalfReader(bytes.NewReader(raw)), true)
		total := 0
		for {
			kind, payload, err := r.Next()
			if err != nil {
				break
			}
			if total += headerSize + len(payload); total > len(raw) || len(payload) > int(caps[kind]) {
				t.Fatalf("frame of kind %d with %d bytes", kind, len(payload))
			}
			switch kind {
			case Log:
				_ = Lines(payload, func(time.Time, []byte) {})
			case Call:
				_, _, _ = ParseCall(payload)
			case Used:
				_, _ = ParseUsed(payload)
			}
		}
	})
}

// FuzzStart is the runner's side.
func FuzzStart(f *testing.F) {
	f.Add(append(Start{Env: []string{"A=b"}}.Append(nil), "request"...))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		_, _, _ = ParseStart(raw)
		_, _, _ = ParseReply(raw)
	})
}
