// One program for every question of tests/languages.rs. By hand: see README.md here.
const fs = require('fs');
const os = require('os');

// Bytes of memory that are this process's own, as the kernel counts them.
function ownMemory() {
  const pages = fs.readFileSync('/proc/self/statm', 'utf8').split(' ');
  return (pages[1] - pages[2]) * 4096;
}

const [what, target, seconds] = process.argv.slice(2);
const blocks = [];
switch (what) {
  case 'hello': {
    const [a, b] = fs.readFileSync(0, 'utf8').split(' ');
    console.log(`hello ${Number(a) + Number(b)}`);
    break;
  }
  case 'fill':
    while (ownMemory() < Number(target)) blocks.push(Buffer.alloc(1 << 20, 1));
    console.log('filled');
    setTimeout(() => blocks.length, 1000 * Number(seconds));
    break;
  case 'garbage': {
    // 1 GiB in all, of which a part is in use at any time.
    const live = target << 4;
    for (let n = 0; n < 1 << 14; n++) blocks[n % live] = new Array(1 << 13).fill(n + 0.5);
    console.log('collected');
    break;
  }
  case 'loop':
    for (;;);
  case 'sleep':
    setTimeout(() => {}, 60_000);
    break;
  case 'cpus':
    console.log(os.availableParallelism());
    break;
  default:
    process.exitCode = 2;
}
