# One program for every question of tests/languages.rs. By hand: see README.md here.
require "etc"

# Bytes of memory that are this process's own, as the kernel counts them.
def own_memory
  _, resident, shared = File.read("/proc/self/statm").split.map(&:to_i)
  (resident - shared) * 4096
end

case ARGV
in ["hello"]
  puts "hello #{$stdin.read.split.sum(&:to_i)}"
in ["fill", target, seconds]
  blocks = []
  blocks << "x" * (1 << 20) while own_memory < target.to_i
  puts "filled"
  $stdout.flush
  sleep seconds.to_i
in ["loop"]
  loop {}
in ["sleep"]
  sleep 60
in ["cpus"]
  puts Etc.nprocessors
else
  exit 2
end
