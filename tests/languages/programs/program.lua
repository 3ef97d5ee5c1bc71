-- One program for every question of tests/languages.rs. By hand: see README.md here.

-- Bytes of memory that are this process's own, as the kernel counts them.
local function own_memory()
    local statm = assert(io.open("/proc/self/statm"))
    local _, resident, shared = statm:read("n", "n", "n")
    statm:close()
    return (resident - shared) * 4096
end

local what, target, seconds = arg[1], arg[2], arg[3]
if what == "hello" then
    local a, b = io.read("n", "n")
    print("hello " .. a + b)
elseif what == "fill" then
    local blocks, kilobyte = {}, string.rep("x", 1 << 10)
    while own_memory() < tonumber(target) do
        blocks[#blocks + 1] = string.rep(kilobyte, 1 << 10)
    end
    print("filled")
    io.stdout:flush()
    -- Lua has no call that sleeps.
    os.execute("sleep " .. tonumber(seconds))
elseif what == "loop" then
    while true do end
elseif what == "sleep" then
    os.execute("sleep 60")
else
    os.exit(2)
end
