package dispatch

// regionPluginData is the cache region that plugins share, regionBroadcast the one that reaches agents.
const (
	regionPluginData = "plugin data"
	regionBroadcast  = "broadcast"
)

// pluginKey is where a plugin's own cache entry lives.
func pluginKey(plugin, name string) string { return "plugin/" + plugin + "/" + name }
