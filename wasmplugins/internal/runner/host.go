package runner

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/tetratelabs/wazero/api"

	"octopus/wasmplugins/internal/frame"
)

// Errnos that the runner itself answers; the numbers are WASI's.
const (
	errnoTooBig      = 1
	errnoDenied      = 2
	errnoFault       = 21
	errnoInvalid     = 28
	errnoUnsupported = 52
)

// tooEarly is the reply to a host call of a guest that initialises.
const tooEarly = `{"error":{"code":"denied","message":"There are no host calls while a module initialises: what they answer would outlive the execution. Make them when it runs."}}`

var i32 = api.ValueTypeI32

// hostModule instantiates octopus_v1.
func (g *guest) hostModule() error {
	_, err := g.rt.NewHostModuleBuilder("octopus_v1").
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(g.call), []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32}).
		Export("call").
		NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(g.read), []api.ValueType{i32, i32}, []api.ValueType{i32}).
		Export("read").
		Instantiate(g.ctx)
	return err
}

// call is octopus_v1.call: it returns the length of the pending reply, or a
// negated errno.
func (g *guest) call(_ context.Context, mod api.Module, stack []uint64) {
	g.pending = nil
	mem := mod.Memory()
	op, ok1 := mem.Read(uint32(stack[0]), uint32(stack[1]))
	req, ok2 := mem.Read(uint32(stack[2]), uint32(stack[3]))
	switch {
	case !ok1 || !ok2:
		stack[0] = errno(errnoFault)
	case g.early:
		g.reply([]byte(tooEarly))
		stack[0] = errno(errnoDenied)
	case len(op) == 0 || len(op) > frame.MaxOp:
		stack[0] = errno(errnoUnsupported)
	case len(req) > frame.MaxCall:
		stack[0] = errno(errnoTooBig)
	case string(op) == "log":
		stack[0] = g.logOp(req)
	case string(op) == "progress":
		g.logs.progress(req)
		stack[0] = g.reply([]byte("{}"))
	case string(op) == "source" && len(g.script) > 0:
		stack[0] = g.reply(g.script)
	default:
		stack[0] = g.ask(op, req)
	}
}

func errno(n int32) uint64 { return uint64(uint32(-n)) }

func (g *guest) reply(b []byte) uint64 {
	g.pending = b
	return uint64(len(b))
}

// logOp takes {"level", "message"}.
func (g *guest) logOp(req []byte) uint64 {
	var line struct {
		Level   string `json:"level"`
		Message string `json:"message"`
	}
	if json.Unmarshal(req, &line) != nil {
		return errno(errnoInvalid)
	}
	switch line.Level {
	case "debug", "warn", "error":
		line.Message = line.Level + ": " + line.Message
	}
	g.logs.say([]byte(line.Message))
	return g.reply([]byte("{}"))
}

// ask hands an operation to the pool and waits for its answer.
func (g *guest) ask(op, req []byte) uint64 {
	g.logs.Flush()
	if err := g.p.send(frame.Call, []byte{byte(len(op))}, op, req); err != nil {
		gone(err)
	}
	kind, payload, err := g.p.in.Next()
	if err != nil || kind != frame.Reply {
		gone(err)
	}
	n, reply, err := frame.ParseReply(payload)
	if err != nil {
		gone(err)
	}
	g.pending = bytes.Clone(reply)
	if n != 0 {
		return errno(n)
	}
	return uint64(len(reply))
}

// read is octopus_v1.read: it copies the next piece of the pending reply and
// returns its length, 0 at the end.
func (g *guest) read(_ context.Context, mod api.Module, stack []uint64) {
	n := min(len(g.pending), int(uint32(stack[1])))
	if !mod.Memory().Write(uint32(stack[0]), g.pending[:n]) {
		stack[0] = errno(errnoFault)
		return
	}
	g.pending = g.pending[n:]
	stack[0] = uint64(n)
}
