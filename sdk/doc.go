// Package sdk is the Go client of Octopus: its REST API under /api/v1 and the JSON types that travel there.
//
//	client := sdk.New("https://octopus.example.com", os.Getenv("OCTOPUS_TOKEN"))
//	run, err := client.StartRun(ctx, sdk.StartRun{Plugin: "http-check", Action: "check",
//		Params: sdk.JSON(map[string]any{"url": "https://example.com"})})
//	if err != nil {
//		return err
//	}
//	run, err = client.WaitRun(ctx, run.ID)
//
// It needs the standard library only. Every method takes a context and gives up when that ends. A refusal by the
// server is an [*Error]. Times are UTC with microseconds; a time that is not known yet is the zero time and is
// left out of the JSON.
package sdk
