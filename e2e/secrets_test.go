package e2e_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"octopus/e2e/harness"
	"octopus/sdk"
	"octopus/sdk/javascript"
	"octopus/wasmplugins"
)

// secretManifest asks for a secret to send, one to read, and two categories of the user's parameters.
const secretManifest = `{"schema":"octopus.plugin/v1","abi":1,"name":"keeper","version":"1.0.0","description":"Uses secrets.","actions":[{"name":"go"}],
"capabilities":{"http":{"hosts":["*"],"addresses":["loopback"]},"secrets":[{"name":"api_token"},{"name":"pin","expose":"value"}],"user_params":["preferences","none"]},
"config":{"type":"object","required":["depth"],"properties":{"region":{"type":"string","default":"eu"},"depth":{"type":"integer"}}}}`

// secretScript does everything with its secrets that it should not.
const secretScript = `
export async function go({ params, config, octopus, user }) {
  const pin = await octopus.secret.get("pin");
  console.log("the pin is " + pin + ".");
  console.log("x".repeat(8190) + pin + "!");
  octopus.progress(0.5, "pin " + pin);
  await octopus.artifact.put("note.txt", "the pin is " + pin);
  await octopus.artifact.put("cut.txt", pin.slice(0, 5));
  await octopus.call("artifact.put", { name: "cut.txt", append: true, body: pin.slice(5) });
  const answer = await octopus.http.fetch(params.url, { headers: { Authorization: "Bearer {{secret:api_token}}" } });
  return { status_code: 200, message: "done with " + pin, data: [{ type: "db", name: "n", value: [pin, Number(pin)] }],
    result: { body: answer.text(), prefs: user.params, length: pin.length, config } };
}`

// TestSecrets stores secrets, binds them with a grant, and looks for their values wherever they should not be.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const pin, token = "8471553920", "t0ken-of-the-witness"
	w := harness.New(t)
	w.Agent("web-01")
	var authorized atomic.Int32
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+token {
			authorized.Add(1)
		}
		rw.Write([]byte("you are " + r.Header.Get("Authorization")))
	}))
	defer site.Close()
	publish(t, w, secretManifest, secretScript)
	work := sdk.StartRun{Work: sdk.Work{Plugin: "keeper", Action: "go", Params: sdk.JSON(map[string]any{"url": site.URL})}}

	grant, err := w.Client.Grant(t.Context(), sdk.NewGrant{Plugin: "keeper"})
	if err != nil || len(grant.Missing) != 2 || !strings.Contains(grant.Missing[0], "octopus secrets set api_token") {
		t.Fatalf("a grant without secrets: %+v %v", grant, err)
	}
	if _, err := w.Client.StartRun(t.Context(), work); err == nil || !strings.Contains(err.Error(), "needs a value for the secret api_token") {
		t.Errorf("a run without secrets: %v", err)
	}
	if _, err := w.Client.Grant(t.Context(), sdk.NewGrant{Plugin: "keeper", Secrets: map[string]string{"pin": "door"}}); err == nil || !strings.Contains(err.Error(), `There is no secret "door"`) {
		t.Errorf("bound to a secret that does not exist: %v", err)
	}
	for name, value := range map[string]string{"api_token": token, "door": pin} {
		if _, err := w.Client.SetSecret(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	if grant, err = w.Client.Grant(t.Context(), sdk.NewGrant{Plugin: "keeper", Secrets: map[string]string{"pin": "door"}}); err != nil || len(grant.Missing) != 0 {
		t.Fatalf("%+v %v", grant, err)
	}
	for category, params := range map[string]string{"preferences": `{"zone":"UTC"}`, "private": `{"shoe":43}`} {
		if err := w.Client.SetParams(t.Context(), category, json.RawMessage(params)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Client.StartRun(t.Context(), work); err == nil || !strings.Contains(err.Error(), "The setting depth is required. An administrator changes it") {
		t.Errorf("a run without a configuration: %v", err)
	}
	if out, code := w.Octopus("plugins", "config", "keeper", "--set", "depth=3"); code != 0 || !strings.Contains(out, "depth") {
		t.Errorf("%d %s", code, out)
	}

	run := w.Run(work)
	x, err := w.Client.Execution(t.Context(), run.Executions[0].ID)
	if err != nil || x.Response == nil || x.Status != "succeeded" {
		t.Fatalf("%+v %v", x, err)
	}
	if authorized.Load() != 1 {
		t.Error("the site was not given the token")
	}
	want := `{"body":"you are Bearer [secret api_token]","prefs":{"preferences":{"zone":"UTC"}},"length":10,"config":{"depth":3,"region":"eu"}}`
	if got := x.Response; got.Message != "done with [secret pin]" || string(got.Result) != want || string(got.Data[0].Value) != `["[secret pin]","[secret pin]"]` {
		t.Errorf("%s, %s, %s", got.Message, got.Result, got.Data[0].Value)
	}
	for name, want := range map[string]string{"note.txt": "the pin is [secret pin]", "cut.txt": "[secret pin]"} {
		if data, err := w.Client.DownloadArtifact(t.Context(), x.ID, name, 0); err != nil || string(data) != want {
			t.Errorf("the file %s is %q, %v", name, data, err)
		}
	}
	var log strings.Builder
	err = w.Client.FollowLogs(t.Context(), x.ID, 0, func(l sdk.LogLine) error {
		log.WriteString(l.Text + "\n")
		return nil
	})
	text := log.String()
	joined := strings.ReplaceAll(text, "\n", "") // a long line comes in parts
	if err != nil || !strings.HasPrefix(text, "the pin is [secret pin].\n") || !strings.Contains(joined, "xx[secret pin]!") || strings.Contains(joined, pin[:2]) {
		t.Errorf("%v: %.100s … %.60s", err, text, text[max(0, len(text)-60):])
	}
	list, err := w.Client.Secrets(t.Context())
	if err != nil || len(list.Items) != 2 || list.Items[1].LastUsedBy != "keeper" || len(list.Items[1].Grants) != 1 || list.Items[1].Grants[0].As != "pin" {
		t.Errorf("%+v %v", list, err)
	}
	w.Server.Stop() // what is in memory is written
	nowhere(t, w.Folder, pin, token)
}

// publish packs a script plugin and uploads it.
func publish(t *testing.T, w *harness.World, manifest, script string) {
	t.Helper()
	module, err := javascript.Engine()
	if err == nil {
		module, err = wasmplugins.PackScript(module, []byte(script))
	}
	if err == nil {
		module, err = wasmplugins.Pack(module, []byte(manifest))
	}
	if err == nil {
		_, err = w.Client.UploadPlugin(t.Context(), module)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// nowhere looks through all files of servers and agents: database, journals, spools, logs.
func nowhere(t *testing.T, folder string, values ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // an agent tidies up
		}
		files++
		for _, value := range values {
			if bytes.Contains(raw, []byte(value)) {
				t.Errorf("%s holds %s", path, value)
			}
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files: %v", files, err)
	}
}
