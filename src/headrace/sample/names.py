"""Word lists for made-up names of companies, places, people and goods. Nothing here means a real company, brand or person."""

VENDOR_ID = "V-00"
VENDOR_NAME = "Alderwick Networks"

PLACES = (
    "Amberfold", "Barrowmere", "Calderstow", "Dunharrow Bay", "Eastwillow", "Fennmarch", "Gullhaven", "Hartsmoor",
    "Inverlade", "Junipergate", "Kestrelford", "Larchwick", "Millbrennan", "Norhollow", "Oakenreach", "Pinevale",
    "Quarrybridge", "Rookstead", "Saltmarch", "Thornlea", "Umberfield", "Vinterby", "Westerhaugh", "Yarrowdale",
    "Zellenau", "Brunnfelde", "Corvelles", "Dorvigny", "Esperelle", "Montclaire-sur-Orme", "Porto Jurema", "Santa Livia",
    "Vila Aroeira", "Tresmontes", "Kitamori", "Hoshigawa", "Minatoura", "Chandrapet", "Nilavaram", "Wirrabee",
)  # fmt: skip
COMPANY_WORDS = (
    "Tannet", "Velbrook", "Orlane", "Castrelle", "Nimbria", "Fjordal", "Maribolt", "Quendal", "Sollari", "Tressel",
    "Ulvane", "Brightoak", "Corvane", "Dellmar", "Eskerby", "Fairlode", "Grenholt", "Halvorne", "Istria Vale", "Jorvane",
    "Kilderby", "Lunara", "Merrowby", "Novarelle", "Ostermoor", "Pellworth", "Quilane", "Ravenholt", "Serrano Vale",
    "Tidewell", "Umbrella Pine", "Vantor", "Wexcombe", "Xandrel", "Yelverin", "Zephrane", "Ardenne Hill", "Boreal Point",
    "Cindermoor", "Drovewell", "Elmstrand", "Foxmere", "Garrowby", "Hollinmere", "Ironsedge", "Jadewater", "Kingslode",
    "Lowerby", "Marshlight", "Northlode", "Opalstrand", "Priorsgate", "Quernmoor", "Rushwater", "Silverlode", "Torrane",
)  # fmt: skip
COMPANY_KINDS = (
    "Systems",
    "Integration",
    "Technology",
    "Connect",
    "Networks",
    "Solutions",
    "Communications",
    "Datacom",
)
DISTRIBUTOR_KINDS = ("Distribution", "Wholesale", "Supply", "Trading")
GROUP_WORDS = ("Harbourlight", "Stonecrest", "Meridian Oak", "Blue Heron", "Copperfield Way")
CUSTOMER_KINDS = (
    "Clinic",
    "School District",
    "Logistics",
    "Town Council",
    "Hotel",
    "Foods",
    "Credit Union",
    "University",
)
FIRST_NAMES = (
    "Ada",
    "Bela",
    "Cato",
    "Dora",
    "Edo",
    "Fia",
    "Gus",
    "Hana",
    "Ivo",
    "Jana",
    "Kai",
    "Lena",
    "Milo",
    "Nia",
    "Otto",
)
LAST_NAMES = (
    "Tarnwell", "Brisco-Lane", "Oderfeld", "Vashtey", "Quillmoor", "Penhallant", "Drostova", "Ishikura", "Marvelho",
    "Sundarekar", "Wollindra", "Castermann",
)  # fmt: skip
COURSES = ("radio-planning", "switching-core", "camera-analytics", "licence-desk", "deal-desk")
