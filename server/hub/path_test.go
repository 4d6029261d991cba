package hub_test

import (
	"errors"
	"testing"

	"github.com/coder/websocket"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/dispatch"
)

func asClose(err error, into *websocket.CloseError) bool { return errors.As(err, into) }

func TestWholePath(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()

	run := s.submit(func(s *dispatch.Submission) { s.Params = []byte(`{"url":"x"}`) })
	o := expect[*wire.Offer](l)
	if o.Execution != s.execution(run).ID || string(o.Params) != `{"url":"x"}` || o.Fence != 1 || o.Attempt != 1 || o.TimeoutMS != 30000 {
		t.Fatalf("offer: %+v", o)
	}
	g := l.take(o)
	if g.Fence != 1 || g.Attempt != 1 {
		t.Fatalf("go: %+v", g)
	}
	if x := s.execution(run); x.Status != octopus.Running || x.AgentName != "web-01" {
		t.Fatalf("after go: %+v", x)
	}
	result := l.succeed(g, o.OfferSeq)
	l.send(result)
	if ack := expect[*wire.ResultAck](l); ack.Verdict != wire.VerdictCommitted {
		t.Fatalf("ack: %+v", ack)
	}
	x := s.ended(run)
	if x.Status != octopus.Succeeded || x.StatusCode != 200 || x.Message != "done" || x.Duration() <= 0 {
		t.Fatalf("execution: %+v", x)
	}
	l.send(result)
	if ack := expect[*wire.ResultAck](l); ack.Verdict != wire.VerdictDuplicate {
		t.Fatalf("second ack: %+v", ack)
	}
}
