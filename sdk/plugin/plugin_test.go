package plugin_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"octopus/sdk/plugin"
)

type greeting struct {
	Name string `json:"name"`
}

func serve(t *testing.T, run plugin.Handler, request string, host plugin.Host) string {
	t.Helper()
	out, err := json.Marshal(plugin.Serve(plugin.Actions{"greet": run, "part": run}, []byte(request), host))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestServe(t *testing.T) {
	t.Parallel()
	greet := plugin.Action(func(_ *plugin.Context, p greeting) plugin.Response { return plugin.OK("Hello, %s.", p.Name) })
	fails := func(*plugin.Context) plugin.Response { panic("oh no") }
	for name, c := range map[string]struct {
		run           plugin.Handler
		request, want string
	}{
		"answers":        {greet, `{"action":"greet","params":{"name":"Ada"}}`, `{"status_code":200,"message":"Hello, Ada."}`},
		"no params":      {greet, `{"action":"greet"}`, `{"status_code":200,"message":"Hello, ."}`},
		"unknown action": {greet, `{"action":"x"}`, `{"status_code":404,"message":"This plugin has no action \"x\", it has: greet, part.","error":{"code":"unknown_action"}}`},
		"panic":          {fails, `{"action":"greet"}`, `{"status_code":500,"message":"The plugin panicked: oh no.","error":{"code":"exception"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := serve(t, c.run, c.request, nil); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	for request, code := range map[string]string{`{"action":"greet","params":{"name":1}}`: "invalid_params", `[`: "invalid_request"} {
		if got := serve(t, greet, request, nil); !strings.Contains(got, `"status_code":400`) || !strings.Contains(got, code) {
			t.Errorf("%s: got %s", request, got)
		}
	}
}

func TestResponse(t *testing.T) {
	t.Parallel()
	base := plugin.OK("done").WithMetric("a", 1)
	one := base.WithDB("rows", []int{1}).WithMetric("b", 2)
	two := base.WithCache("c", true, time.Minute).WithFile("f.txt", []byte("x")).WithFile("f.bin", []byte{0xff})
	if len(base.Data) != 0 || len(base.Metrics) != 1 || len(one.Data) != 1 || len(two.Data) != 3 {
		t.Errorf("responses share state: %+v %+v %+v", base, one, two)
	}
	raw, err := json.Marshal(two.WithRetry(true, 30*time.Second).WithCode("busy"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"status_code":200,"message":"done","data":[{"type":"cache","name":"c","value":true,"ttl_seconds":60},` +
		`{"type":"file","name":"f.txt","value":"x","encoding":"utf8"},{"type":"file","name":"f.bin","value":"/w==","encoding":"base64"}],` +
		`"metrics":{"a":1},"error":{"code":"busy","retryable":true,"retry_after_seconds":30}}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
}

// host answers every operation with one reply and remembers the last request.
type host struct {
	reply    string
	op, last string
}

func (h *host) call(op string, request []byte) ([]byte, error) {
	h.op, h.last = op, string(request)
	return []byte(h.reply), nil
}

func TestCalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply   string
		do      func(*plugin.Context) (bool, error)
		request string
	}{
		"kv.get": {`{"found":true,"value":{"name":"Ada"}}`, func(ctx *plugin.Context) (bool, error) {
			var g greeting
			found, err := ctx.KVGet("k", &g)
			return found && g.Name == "Ada", err
		}, `{"key":"k"}`},
		"kv.set": {`{}`, func(ctx *plugin.Context) (bool, error) { return true, ctx.KVSet("k", 7, time.Minute) }, `{"key":"k","value":7,"ttl_seconds":60}`},
		"kv.list": {`{"keys":["a","b"]}`, func(ctx *plugin.Context) (bool, error) {
			keys, err := ctx.KVList("p")
			return len(keys) == 2, err
		}, `{"prefix":"p"}`},
		"kv.delete": {`{}`, func(ctx *plugin.Context) (bool, error) { return true, ctx.KVDelete("k") }, `{"key":"k"}`},
		"cache.get": {`{"found":false}`, func(ctx *plugin.Context) (bool, error) {
			found, err := ctx.CacheGet("broadcast/x", nil)
			return !found, err
		}, `{"name":"broadcast/x"}`},
		"cache.set": {`{}`, func(ctx *plugin.Context) (bool, error) { return true, ctx.CacheSet("n", "v", 0) }, `{"name":"n","value":"v"}`},
		"host.info": {`{"load":{"one":0.5}}`, func(ctx *plugin.Context) (bool, error) {
			info, err := ctx.HostInfo("load")
			return info.Load != nil && info.Load.One == 0.5 && info.CPU == nil, err
		}, `{"parts":["load"]}`},
		"tcp.probe": {`{"ok":true,"address":"192.0.2.7:22"}`, func(ctx *plugin.Context) (bool, error) {
			p, err := ctx.Probe(plugin.ProbeRequest{Host: "h", Port: 22})
			return p.OK, err
		}, `{"host":"h","port":22}`},
		"http.fetch": {`{"status":204,"body_base64":"/w=="}`, func(ctx *plugin.Context) (bool, error) {
			r, err := ctx.Fetch(plugin.HTTPRequest{URL: "http://h", BodyBase64: []byte{0xff}})
			return r.Status == 204 && len(r.BodyBase64) == 1, err
		}, `{"url":"http://h","body_base64":"/w=="}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &host{reply: c.reply}
			ok, err := c.do(plugin.NewContext(plugin.Request{}, h.call))
			if err != nil || !ok || h.op != name || h.last != c.request {
				t.Errorf("got %t, %v, asked %s %s, want %s", ok, err, h.op, h.last, c.request)
			}
		})
	}
}

func TestErrorsKeepWhatIsKnown(t *testing.T) {
	t.Parallel()
	h := &host{reply: `{"ok":false,"address":"192.0.2.7:22","error":{"code":"refused","message":"no"}}`}
	p, err := plugin.NewContext(plugin.Request{}, h.call).Probe(plugin.ProbeRequest{Host: "h", Port: 22})
	if plugin.Code(err) != "refused" || err.Error() != "no" || p.Address != "192.0.2.7:22" {
		t.Errorf("got %+v, %v", p, err)
	}
	if got := plugin.FailWith(err, "x"); got.StatusCode != 502 || got.Error.Code != "refused" {
		t.Errorf("got %+v", got)
	}
	if got := plugin.FailWith(errors.New("y"), "x"); got.StatusCode != 500 {
		t.Errorf("got %+v", got)
	}
}

func TestWithoutHost(t *testing.T) {
	t.Parallel()
	ctx := plugin.NewContext(plugin.Request{}, nil)
	if _, err := ctx.Fetch(plugin.HTTPRequest{URL: "http://h"}); plugin.Code(err) != "unsupported_op" {
		t.Errorf("got %v", err)
	}
	if ctx.Cancelled() || !ctx.Sleep(0) {
		t.Error("cancelled without a host")
	}
}
