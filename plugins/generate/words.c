/* words.c - the words that posts are made of; a list of our own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "post.h"

#define W(s) { sizeof(s) - 1, s }
#define LIST(v) { v, sizeof(v) / sizeof *(v) }

static const struct word plain[] = {
    W("the"), W("a"), W("of"), W("and"), W("to"), W("for"), W("with"), W("your"), W("in"), W("on"), W("from"), W("this"),
    W("that"), W("how"), W("you"), W("can"), W("it"), W("is"), W("are"), W("make"), W("best"), W("easy"), W("simple"),
    W("ideas"), W("tips"), W("ways"), W("more"), W("new"), W("all"), W("our"), W("my"), W("we"), W("will"), W("love"),
    W("find"), W("learn"), W("about"), W("get"), W("out"), W("up"), W("one"), W("two"), W("three"), W("day"), W("home"),
    W("time"), W("year"), W("little"), W("big"), W("free"), W("great"), W("perfect"), W("beautiful"), W("creative"), W("fun"),
    W("quick"), W("cheap"), W("cozy"), W("modern"), W("vintage"), W("rustic"), W("classic"), W("bright"), W("soft"), W("warm"),
    W("cool"), W("bold"), W("tiny"), W("giant"), W("hidden"), W("favorite"), W("favourite"), W("wonderful"), W("amazing"),
    W("lovely"), W("pretty"), W("fresh"), W("clean"), W("natural"), W("handmade"), W("printable"), W("personal"), W("local"),
    W("world"), W("family"), W("friends"), W("kids"), W("parents"), W("women"), W("men"), W("people"), W("beginners"),
    W("teachers"), W("students"), W("anyone"), W("everyone"), W("summer"), W("winter"), W("spring"), W("autumn"), W("weekend"),
    W("morning"), W("evening"), W("tonight"), W("season"), W("holiday"), W("party"), W("table"), W("wall"), W("room"),
    W("kitchen"), W("bedroom"), W("garden"), W("porch"), W("window"), W("door"), W("light"), W("color"), W("paper"), W("wood"),
    W("glass"), W("fabric"), W("paint"), W("thread"), W("stone"), W("metal"), W("leather"), W("gold"), W("silver"), W("black"),
    W("white"), W("green"), W("blue"), W("pink"), W("orange"), W("purple"), W("guide"), W("list"), W("steps"), W("project"),
    W("pattern"), W("template"), W("design"), W("style"), W("look"), W("plan"), W("budget"), W("story"), W("photo"), W("video"),
    W("post"), W("blog"), W("shop"), W("store"), W("order"), W("today"), W("here"), W("now"), W("before"), W("after"),
    W("into"), W("over"), W("under"), W("without"), W("between"), W("around"), W("every"), W("each"), W("many"), W("most"),
    W("some"), W("other"), W("another"), W("first"), W("last"), W("next"), W("only"), W("also"), W("just"), W("even"),
    W("still"), W("never"), W("always"), W("need"), W("want"), W("know"), W("think"), W("start"), W("stop"), W("keep"),
    W("save"), W("try"), W("use"), W("take"), W("give"), W("show"), W("share"), W("follow"), W("click"), W("read"), W("see"),
    W("watch"), W("check"), W("build"), W("create"), W("draw"), W("write"), W("organize"), W("decorate"), W("prepare"),
    W("choose"), W("pick"), W("mix"), W("match"), W("wear"), W("cook"), W("bake"), W("plant"), W("grow"), W("travel"),
    W("visit"), W("explore"), W("enjoy"), W("celebrate"), W("remember"), W("dream"), W("inspire"), W("inspiration"),
    W("details"), W("results"), W("secrets"), W("reasons"), W("mistakes"), W("tricks"), W("hacks"), W("checklist"),
    W("calendar"), W("lesson"), W("activity"), W("craft"), W("recipe"), W("basket"), W("bottle"), W("box"), W("bag"), W("card"),
    W("letter"), W("tree"), W("flower"), W("leaf"), W("star"), W("moon"), W("sun"), W("sea"), W("mountain"), W("river"),
    W("city"), W("street"), W("house"), W("roof"), W("garage"), W("corner"), W("shelf"), W("mirror"), W("lamp"), W("candle"),
    W("pillow"), W("blanket"), W("rug"), W("curtain"), W("frame"), W("print"), W("poster"), W("sticker"), W("ribbon"),
    W("button"), W("needle"), W("brush"), W("pencil"), W("marker"), W("canvas"), W("clay"), W("yarn"), W("foil"), W("string"),
    W("wire"), W("hook"), W("loop"), W("knot"), W("edge"), W("line"), W("shape"), W("size"), W("height"), W("weight"),
    W("minutes"), W("hours"), W("weeks"), W("months"), W("less"), W("than"), W("better"), W("faster"), W("smarter"),
    W("cheaper"), W("longer"), W("shorter"), W("because"), W("when"), W("where"), W("what"), W("why"), W("who"), W("while"),
    W("until"), W("through"), W("across"), W("along"),
};

static const struct word odd[] = {
    W("\\u00e9clair"), W("caf\\u00e9"), W("na\\u00efve"), W("\\u2728"), W("\\ud83d\\ude0d"), W("\\ud83c\\udf84"), W("\\u2013"),
    W("\\u2014"), W("\\u201cbest\\u201d"), W("don\\u2019t"), W("it\\u2019s"), W("you\\u2019ll"), W("\\u2764\\ufe0f"),
    W("ni\\u00f1os"), W("fa\\u00e7ade"), W("\\u00bd"), W("\\u00d7"), W("\\u4f60\\u597d"), W("\\u043c\\u0438\\u0440"),
    W("\\u00fcber"), W("\\\"basic\\\""), W("\\\"must\\\""), W("1/2"), W("5x7"), W("&"), W("|"), W("<b>new</b>"),
    W("\\u0093hi\\u0094"), W("\\n"), W("\\u2022"), W("cr\\u00e8me"), W("\\u00a9"), W("$100"), W("#diy"), W("@home"), W("24/7"),
    W("50%"), W("\\t"),
};

static const struct word first_names[] = {
    W("Ada"), W("Aiden"), W("Alma"), W("Amara"), W("Amelia"), W("Anders"), W("Anton"), W("Ariel"), W("Astrid"), W("Aurora"),
    W("Basil"), W("Beatrice"), W("Bianca"), W("Boris"), W("Bruno"), W("Camila"), W("Carla"), W("Cedric"), W("Celeste"),
    W("Clara"), W("Conrad"), W("Cora"), W("Cyrus"), W("Dahlia"), W("Damian"), W("Daphne"), W("Dario"), W("Delia"), W("Desmond"),
    W("Diana"), W("Edith"), W("Edwin"), W("Elena"), W("Elias"), W("Eloise"), W("Emil"), W("Enzo"), W("Esme"), W("Esther"),
    W("Fabian"), W("Felix"), W("Fiona"), W("Flora"), W("Frida"), W("Gideon"), W("Gloria"), W("Greta"), W("Hanna"), W("Harold"),
    W("Hazel"), W("Hector"), W("Hugo"), W("Ida"), W("Imani"), W("Ines"), W("Irene"), W("Isaac"), W("Ivan"), W("Ivy"),
    W("Jasper"), W("Joan"), W("Jonas"), W("Judith"), W("Julian"), W("Kai"), W("Karim"), W("Katya"), W("Keira"), W("Lars"),
    W("Laura"), W("Leila"), W("Lena"), W("Leo"), W("Linus"), W("Lucia"), W("Luther"), W("Mabel"), W("Magnus"), W("Malik"),
    W("Marta"), W("Maya"), W("Milo"), W("Mina"), W("Nadia"), W("Naomi"), W("Niels"), W("Nora"), W("Olga"), W("Omar"),
    W("Oscar"), W("Otto"), W("Paula"), W("Pedro"), W("Petra"), W("Priya"), W("Quinn"), W("Rafael"), W("Ramona"), W("Rosa"),
    W("Rufus"), W("Ruth"), W("Sana"), W("Selma"), W("Simon"), W("Sofia"), W("Stella"), W("Tara"), W("Theo"), W("Tobias"),
    W("Uma"), W("Vera"), W("Victor"), W("Viola"), W("Wanda"), W("Wesley"), W("Yara"), W("Yusuf"), W("Zelda"), W("Zoe"),
};

static const struct word last_names[] = {
    W("Abbott"), W("Acosta"), W("Adler"), W("Ahmed"), W("Alvarez"), W("Archer"), W("Bailey"), W("Barnes"), W("Becker"),
    W("Bishop"), W("Blake"), W("Brandt"), W("Briggs"), W("Calder"), W("Carver"), W("Castro"), W("Chandra"), W("Clarke"),
    W("Cohen"), W("Costa"), W("Dalton"), W("Decker"), W("Diaz"), W("Dixon"), W("Drake"), W("Duncan"), W("Eaton"), W("Ellis"),
    W("Esposito"), W("Farrell"), W("Fischer"), W("Fleming"), W("Fox"), W("Franklin"), W("Garcia"), W("Gibbs"), W("Goodwin"),
    W("Graves"), W("Haas"), W("Hale"), W("Hansen"), W("Harper"), W("Hayes"), W("Hoffman"), W("Holt"), W("Hussain"),
    W("Ibrahim"), W("Irwin"), W("Jansen"), W("Jensen"), W("Joshi"), W("Kaplan"), W("Keller"), W("Khan"), W("Kim"), W("Klein"),
    W("Kovacs"), W("Lambert"), W("Larsen"), W("Lee"), W("Lindgren"), W("Lopez"), W("Lowe"), W("Malone"), W("Marsh"), W("Mbeki"),
    W("Mercer"), W("Meyer"), W("Moreno"), W("Moss"), W("Nakamura"), W("Nash"), W("Nguyen"), W("Nolan"), W("Novak"), W("Okafor"),
    W("Olsen"), W("Ortiz"), W("Osborne"), W("Park"), W("Patel"), W("Perez"), W("Petrov"), W("Porter"), W("Quinlan"),
    W("Ramirez"), W("Reyes"), W("Rhodes"), W("Rossi"), W("Sanders"), W("Sato"), W("Schmidt"), W("Shah"), W("Silva"), W("Singh"),
    W("Stein"), W("Tanaka"), W("Thorne"), W("Torres"), W("Underwood"), W("Vance"), W("Vargas"), W("Vogel"), W("Walsh"),
    W("Weaver"), W("Weber"), W("Wong"), W("Yates"), W("Young"), W("Zhang"), W("Ziegler"),
};

static const struct word sites[] = {
    W("Studio"), W("Journal"), W("Collective"), W("Kitchen"), W("Corner"), W("Workshop"), W("Diaries"), W("Magazine"),
    W("House"), W("Market"), W("Notes"), W("Creations"), W("Living"), W("Designs"), W("Academy"), W("Adventures"),
    W("Projects"), W("Boutique"),
};

static const struct word christmas[] = {
    W("Christmas"), W("Ornament"), W("Wreath"), W("Stocking"), W("Santa"), W("Gingerbread"), W("Snowman"), W("Advent"),
    W("Garland"), W("Mistletoe"), W("Nativity"), W("Tinsel"), W("Reindeer"), W("Holiday Decor"), W("Xmas Crafts"),
    W("Tree Topper"), W("Gift Wrap"), W("Winter Porch"),
};

static const struct word art[] = {
    W("Watercolor"), W("Sketch"), W("Canvas"), W("Acrylic"), W("Gouache"), W("Portrait"), W("Mural"), W("Charcoal"),
    W("Collage"), W("Abstract"), W("Ceramics"), W("Linocut"), W("Drawing Ideas"), W("Art Lessons"), W("Line Drawing"),
    W("Art Journal"), W("Color Theory"), W("Still Life"),
};

static const struct word quotes[] = {
    W("Quotes"), W("Mindset"), W("Wisdom"), W("Gratitude"), W("Courage"), W("Hope"), W("Kindness"), W("Affirmation"),
    W("Motivation"), W("Reflection"), W("Proverb"), W("Patience"), W("Daily Quotes"), W("Life Lessons"), W("Self Love"),
    W("Wise Words"), W("Short Poems"), W("Work Quotes"),
};

static const struct word finance[] = {
    W("Budget"), W("Savings"), W("Debt"), W("Credit Score"), W("Side Hustle"), W("Investing"), W("Mortgage"), W("Retirement"),
    W("Frugal"), W("Paycheck"), W("Expenses"), W("Cash Envelope"), W("Money Tips"), W("Save Money"), W("Money Goals"),
    W("Passive Income"), W("Bill Tracker"), W("Sinking Funds"),
};

static const struct word mens_fashion[] = {
    W("Blazer"), W("Chinos"), W("Loafers"), W("Denim"), W("Tailored"), W("Menswear"), W("Overcoat"), W("Sneakers"),
    W("Cufflinks"), W("Knitwear"), W("Streetwear"), W("Grooming"), W("Casual Outfits"), W("Suit Styles"), W("Men Casual"),
    W("Boots Outfit"), W("Linen Shirt"), W("Layered Look"),
};

static const struct word tattoos[] = {
    W("Tattoo"), W("Sleeve"), W("Linework"), W("Blackwork"), W("Dotwork"), W("Mandala"), W("Forearm"), W("Ankle"), W("Stencil"),
    W("Tribal"), W("Minimalist"), W("Script"), W("Tattoo Ideas"), W("Tiny Tattoos"), W("Floral Tattoo"), W("Wrist Tattoo"),
    W("Cover Up"), W("Fine Line"),
};

static const struct word travel[] = {
    W("Itinerary"), W("Backpacking"), W("Island"), W("Passport"), W("Roadtrip"), W("Hostel"), W("Beaches"), W("Packing"),
    W("Safari"), W("Camping"), W("Cruise"), W("Waterfall"), W("Travel Tips"), W("City Break"), W("Bucket List"),
    W("Solo Travel"), W("Train Rides"), W("Hiking Trails"),
};

static const struct word education[] = {
    W("Classroom"), W("Phonics"), W("Preschool"), W("Homeschool"), W("Worksheet"), W("Alphabet"), W("Fractions"), W("Science"),
    W("Literacy"), W("Kindergarten"), W("Grammar"), W("Spelling"), W("Sensory Bin"), W("Math Games"), W("Lesson Plans"),
    W("Sight Words"), W("Circle Time"), W("Book Report"),
};

static const struct word diy_and_crafts[] = {
    W("Macrame"), W("Crochet"), W("Origami"), W("Upcycle"), W("Embroidery"), W("Slime"), W("Quilt"), W("Beads"), W("Knitting"),
    W("Scrapbook"), W("Stencils"), W("Pompom"), W("Paper Crafts"), W("Kids Crafts"), W("Diy Decor"), W("Mason Jar"),
    W("Felt Toys"), W("Yarn Projects"),
};

static const struct word event_planning[] = {
    W("Wedding"), W("Shower"), W("Catering"), W("Invitation"), W("Centerpiece"), W("Venue"), W("Balloon"), W("Backdrop"),
    W("Bridal"), W("Banquet"), W("Toast"), W("Seating"), W("Party Themes"), W("Event Budget"), W("Table Setting"),
    W("Photo Booth"), W("Guest List"), W("Dessert Bar"),
};

static const struct word home_decor[] = {
    W("Farmhouse"), W("Boho"), W("Shiplap"), W("Sofa"), W("Fireplace"), W("Entryway"), W("Gallery Wall"), W("Nursery"),
    W("Pantry"), W("Wallpaper"), W("Neutral"), W("Terrarium"), W("Living Room"), W("Small Spaces"), W("Open Shelves"),
    W("Paint Colors"), W("Bath Remodel"), W("Patio Ideas"),
};

static const struct word beauty[] = {
    W("Skincare"), W("Lipstick"), W("Serum"), W("Eyeliner"), W("Balayage"), W("Manicure"), W("Moisturizer"), W("Contour"),
    W("Brows"), W("Braids"), W("Perfume"), W("Sunscreen"), W("Face Mask"), W("Hair Care"), W("Nail Ideas"), W("Makeup Looks"),
    W("Glowing Skin"), W("Curly Hair"),
};

static const struct word vehicles[] = {
    W("Motorcycle"), W("Convertible"), W("Coupe"), W("Roadster"), W("Camper Van"), W("Pickup"), W("Turbo"), W("Chassis"),
    W("Scooter"), W("Hatchback"), W("Offroad"), W("Garage"), W("Classic Cars"), W("Electric Cars"), W("Dream Car"),
    W("Custom Bikes"), W("Car Interior"), W("Race Track"),
};

const struct words words_plain = LIST(plain);
const struct words words_odd = LIST(odd);
const struct words words_first_names = LIST(first_names);
const struct words words_last_names = LIST(last_names);
const struct words words_sites = LIST(sites);
const struct words words_of_category[POST_CATEGORIES] = {
    LIST(christmas), LIST(art), LIST(quotes), LIST(finance), LIST(mens_fashion), LIST(tattoos), LIST(travel), LIST(education),
    LIST(diy_and_crafts), LIST(event_planning), LIST(home_decor), LIST(beauty), LIST(vehicles),
};
const char *const words_categories[POST_CATEGORIES] = {
    "christmas", "art", "quotes", "finance", "mens-fashion", "tattoos", "travel", "education", "diy-and-crafts",
    "event-planning", "home-decor", "beauty", "vehicles",
};
const char *const words_countries[] = {
    "Afghanistan", "Albania", "Algeria", "American Samoa", "Andorra", "Angola", "Anguilla", "Antarctica", "Antigua and Barbuda",
    "Argentina", "Armenia", "Aruba", "Australia", "Austria", "Azerbaijan", "Bahamas", "Bahrain", "Bangladesh", "Barbados",
    "Belarus", "Belgium", "Belize", "Benin", "Bermuda", "Bhutan", "Bolivia", "Bosnia and Herzegovina", "Botswana",
    "Bouvet Island (Bouvetoya)", "Brazil", "British Indian Ocean Territory (Chagos Archipelago)", "British Virgin Islands",
    "Brunei Darussalam", "Bulgaria", "Burkina Faso", "Burundi", "Cambodia", "Cameroon", "Canada", "Cape Verde",
    "Cayman Islands", "Central African Republic", "Chad", "Chile", "China", "Christmas Island", "Cocos (Keeling) Islands",
    "Colombia", "Comoros", "Congo", "Cook Islands", "Costa Rica", "Cote d'Ivoire", "Croatia", "Cuba", "Cyprus",
    "Czech Republic", "Denmark", "Djibouti", "Dominica", "Dominican Republic", "Ecuador", "Egypt", "El Salvador",
    "Equatorial Guinea", "Eritrea", "Estonia", "Ethiopia", "Faroe Islands", "Fiji", "Finland", "France", "French Guiana",
    "French Polynesia", "Gabon", "Gambia", "Georgia", "Germany", "Ghana", "Gibraltar", "Greece", "Greenland", "Grenada",
    "Guadeloupe", "Guam", "Guatemala", "Guernsey", "Guinea", "Guinea-Bissau", "Guyana", "Haiti", "Honduras", "Hong Kong",
    "Hungary", "Iceland", "India", "Indonesia", "Iran", "Iraq", "Ireland", "Isle of Man", "Israel", "Italy", "Jamaica", "Japan",
    "Jersey", "Jordan", "Kazakhstan", "Kenya", "Kiribati", "Korea", "Kuwait", "Kyrgyz Republic", "Latvia", "Lebanon", "Lesotho",
    "Liberia", "Libyan Arab Jamahiriya", "Liechtenstein", "Lithuania", "Luxembourg", "Macao", "Madagascar", "Malawi",
    "Malaysia", "Maldives", "Mali", "Malta", "Marshall Islands", "Martinique", "Mauritania", "Mauritius", "Mayotte", "Mexico",
    "Micronesia", "Moldova", "Monaco", "Mongolia", "Montenegro", "Montserrat", "Morocco", "Mozambique", "Myanmar", "Namibia",
    "Nauru", "Nepal", "Netherlands", "New Caledonia", "New Zealand", "Nicaragua", "Niger", "Nigeria", "Niue", "Norfolk Island",
    "North Macedonia", "Norway", "Oman", "Pakistan", "Palau", "Panama", "Papua New Guinea", "Paraguay", "Peru", "Philippines",
    "Poland", "Portugal", "Puerto Rico", "Qatar", "Reunion", "Romania", "Rwanda", "Saint Lucia", "Samoa", "San Marino",
    "Sao Tome and Principe", "Saudi Arabia", "Senegal", "Serbia", "Seychelles", "Sierra Leone", "Singapore",
    "Slovakia (Slovak Republic)", "Slovenia", "Solomon Islands", "Somalia", "South Africa",
    "South Georgia and the South Sandwich Islands", "Spain", "Sri Lanka", "Sudan", "Suriname", "Svalbard & Jan Mayen Islands",
    "Sweden", "Switzerland", "Taiwan", "Tajikistan", "Tanzania", "Thailand", "Timor-Leste", "Togo", "Tokelau", "Tonga",
    "Trinidad and Tobago", "Tunisia", "Turkey", "Turkmenistan", "Turks and Caicos Islands", "Tuvalu", "Uganda", "Ukraine",
    "United Arab Emirates", "United Kingdom", "United States of America", "Uruguay", "Uzbekistan", "Vanuatu", "Venezuela",
    "Vietnam", "Wallis and Futuna", "Western Sahara", "Yemen", "Zambia", "Zimbabwe", "Saint Vincent, the Grenadines",
    "Palestine, State of",
};
const uint32_t words_n_countries = sizeof words_countries / sizeof *words_countries;
