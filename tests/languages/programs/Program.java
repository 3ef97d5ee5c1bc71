// One program for every question of tests/languages.rs. By hand: see README.md here.
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Scanner;

class Program {
    /** Bytes of memory that are this process's own, as the kernel counts them. */
    static long ownMemory() throws Exception {
        String[] pages = Files.readString(Path.of("/proc/self/statm")).split(" ");
        return (Long.parseLong(pages[1]) - Long.parseLong(pages[2])) * 4096;
    }

    public static void main(String[] words) throws Exception {
        switch (words[0]) {
            case "hello" -> {
                Scanner input = new Scanner(System.in);
                System.out.println("hello " + (input.nextInt() + input.nextInt()));
            }
            case "fill" -> {
                // By turns in the heap and outside it: the heap alone ends at -Xmx.
                List<Object> blocks = new ArrayList<>();
                while (ownMemory() < Long.parseLong(words[1])) {
                    byte[] block = new byte[1 << 20];
                    Arrays.fill(block, (byte) 1);
                    blocks.add(block);
                    blocks.add(ByteBuffer.allocateDirect(1 << 20).put(block));
                }
                System.out.println("filled");
                Thread.sleep(1000 * Long.parseLong(words[2]));
            }
            case "garbage" -> {
                // 1 GiB in all, of which a part is in use at any time.
                Deque<byte[]> blocks = new ArrayDeque<>();
                for (int n = 0; n < 1 << 14; n++) {
                    byte[] block = new byte[1 << 16];
                    Arrays.fill(block, (byte) 1);
                    blocks.add(block);
                    if (blocks.size() > Integer.parseInt(words[1]) << 4) {
                        blocks.remove();
                    }
                }
                System.out.println("collected");
            }
            case "loop" -> {
                while (true) {
                    Thread.onSpinWait();
                }
            }
            case "sleep" -> Thread.sleep(60_000);
            case "cpus" -> System.out.println(Runtime.getRuntime().availableProcessors());
            default -> System.exit(2);
        }
    }
}
