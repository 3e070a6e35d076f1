-- Makes wrk end with one line of JSON. No `request` and no `response` function: either would run Lua in wrk for each
-- request, and then wrk, not the server, would be the limit.
local upload = tonumber(os.getenv("BENCH_UPLOAD") or "0")
if upload > 0 then
   wrk.method = "POST"
   wrk.body = string.rep("u", upload)
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"duration_us":%d,"bytes":%d,"mean_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,' ..
      '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}}\n',
      summary.requests, summary.duration, summary.bytes,
      latency.mean, latency:percentile(50), latency:percentile(99), latency.max,
      errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
