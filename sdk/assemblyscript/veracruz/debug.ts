// The second entry of a program that is built with --debug: what it exports besides.

export { veracruz_message } from "./message";
