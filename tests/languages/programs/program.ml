(* One program for every question of tests/languages.rs. By hand: see README.md here. *)

(* Bytes of memory that are this process's own, as the kernel counts them. *)
let own_memory () =
  let statm = open_in "/proc/self/statm" in
  let line = input_line statm in
  close_in statm;
  Scanf.sscanf line "%d %d %d" (fun _ resident shared -> (resident - shared) * 4096)

let rec fill target blocks =
  if own_memory () >= target then blocks
  else fill target (Bytes.make (1 lsl 20) 'x' :: blocks)

let () =
  match List.tl (Array.to_list Sys.argv) with
  | [ "hello" ] -> Scanf.scanf "%d %d" (fun a b -> Printf.printf "hello %d\n" (a + b))
  | [ "fill"; target; seconds ] ->
      let blocks = fill (int_of_string target) [] in
      print_endline "filled";
      Unix.sleep (int_of_string seconds);
      ignore (Sys.opaque_identity blocks)
  | [ "loop" ] -> while true do () done
  | [ "sleep" ] -> Unix.sleep 60
  | _ -> exit 2
